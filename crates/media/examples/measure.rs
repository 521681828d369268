//! Prints the time and the peak memory of processing large pictures, bombs and given files: `cargo run --release -p
//! mycars-media --example measure [FILE…]`. Linux only.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this example prints its results"
)]

use std::{fs, io::Cursor, time::Instant};

use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use mycars_application::ports::ImageProcessor;
use mycars_media::JpegProcessor;

#[path = "../tests/processor/bombs.rs"]
mod bombs;
#[path = "../tests/processor/icc.rs"]
#[expect(dead_code, reason = "tests need more profiles")]
mod icc;

fn main() {
    for (name, bytes) in bombs::all().into_iter().chain(bombs::harmless()) {
        measure(name, bytes);
    }
    measure("jpeg: 12 megapixels", encoded(4000, 3000, ImageFormat::Jpeg));
    let display_p3 = icc::matrix(icc::DISPLAY_P3, &icc::srgb_curve());
    measure("jpeg: 12 megapixels in Display P3", with_profile(display_p3));
    measure(
        "jpeg: 12 megapixels with a table of colors",
        with_profile(icc::table(*b"A2B0")),
    );
    measure("png: 40 megapixels", encoded(8000, 5000, ImageFormat::Png));
    measure("webp: 12 megapixels", encoded(4000, 3000, ImageFormat::WebP));
    for path in std::env::args().skip(1) {
        let bytes = fs::read(&path).unwrap();
        measure(&path, bytes);
    }
}

fn measure(name: &str, bytes: Vec<u8>) {
    // Resets the kernel's record of the peak.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_kibibytes();
    let size = bytes.len();
    let start = Instant::now();
    let outcome = JpegProcessor::new(40).process(&mut Cursor::new(bytes));
    let elapsed = start.elapsed();
    let extra = (peak_kibibytes() - before) / 1024;
    let outcome = outcome.map(|jpeg| jpeg.len());
    println!("{name} ({size} bytes): {elapsed:.1?}, {extra} MiB more at most, {outcome:?}");
}

fn peak_kibibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Builds a JPEG with 12 megapixels and a color profile.
fn with_profile(profile: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile).unwrap();
    picture(4000, 3000).write_with_encoder(encoder).unwrap();
    bytes
}

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture(width, height).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Builds a picture with structure and some noise.
fn picture(width: u32, height: u32) -> DynamicImage {
    let pixel = |x: u32, y: u32| {
        let noise = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca6b);
        [x / 16, y / 16, (x + y) / 32].map(|value| (value.to_le_bytes()[0] & 0xf8) | (noise >> 29) as u8)
    };
    RgbImage::from_fn(width, height, |x, y| Rgb(pixel(x, y))).into()
}
