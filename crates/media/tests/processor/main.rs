//! What is made of uploads: honest ones, broken ones and malicious ones. All of it in a process that may not
//! take much memory.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    fs,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::Path,
    sync::Once,
};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use mycars_application::ports::{ImageError, ImageProcessor};
use mycars_media::JpegProcessor;

mod bombs;
mod colors;
mod icc;
mod orientation;
mod pictures;
mod properties;
mod refusals;

/// Far less than any bomb would take, and enough for all tests at once.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 256 << 20;

/// What the processor makes of an upload, with the default limit.
fn process(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    process_within(40, bytes)
}

fn process_within(max_megapixels: u32, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    static LIMITED: Once = Once::new();
    LIMITED.call_once(limit_memory);
    JpegProcessor { max_megapixels }.process(&mut Cursor::new(bytes))
}

/// From here on, taking more than [`MEMORY`] ends the process: whatever a decoder allocates shows, also if it
/// is never touched.
#[cfg(target_os = "linux")]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let data = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))
        .unwrap();
    let kibibytes: u64 = data.split_whitespace().next().unwrap().parse().unwrap();
    let limit = Rlimit {
        current: Some(kibibytes * 1024 + MEMORY),
        ..getrlimit(Resource::Data)
    };
    setrlimit(Resource::Data, limit).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn limit_memory() {}

/// A file of the wire contract.
fn file(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/files")
            .join(name),
    )
    .unwrap()
}

/// The pixels of what the processor made of an upload that it took.
fn taken(bytes: &[u8]) -> RgbImage {
    let jpeg = process(bytes).unwrap();
    image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg)
        .unwrap()
        .into_rgb8()
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The same colour everywhere, but for what JPEG loses.
fn assert_all(image: &RgbImage, expected: [u8; 3]) {
    for Rgb(pixel) in image.pixels() {
        let far = pixel
            .iter()
            .zip(expected)
            .any(|(sample, expected)| sample.abs_diff(expected) > 3);
        assert!(!far, "{pixel:?} is not {expected:?}");
    }
}

/// An upload whose storage fails.
struct Unreadable;

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("gone"))
    }
}

impl Seek for Unreadable {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}
