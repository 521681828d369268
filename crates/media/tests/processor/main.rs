//! The processing of valid, broken and malicious uploads, in a process with limited memory.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

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

/// Memory limit of the process in bytes: far less than a bomb would take, and enough for all tests at once.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 256 << 20;

/// Processes an upload with the default limit.
fn process(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    process_within(40, bytes)
}

fn process_within(max_megapixels: u32, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    static LIMITED: Once = Once::new();
    LIMITED.call_once(limit_memory);
    JpegProcessor::new(max_megapixels).process(&mut Cursor::new(bytes))
}

/// Limits the memory of the process: an allocation over [`MEMORY`] ends it, also if the memory is never used.
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

/// Reads a file of the wire contract.
fn file(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/files")
            .join(name),
    )
    .unwrap()
}

/// Returns the pixels of a processed upload.
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

/// Asserts that all pixels have this colour, within the losses of JPEG.
fn assert_all(image: &RgbImage, expected: [u8; 3]) {
    for Rgb(pixel) in image.pixels() {
        let far = pixel
            .iter()
            .zip(expected)
            .any(|(sample, expected)| sample.abs_diff(expected) > 3);
        assert!(!far, "{pixel:?} is not {expected:?}");
    }
}

/// An upload whose storage returns errors.
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
