//! A photograph of 12 megapixels.

use image::{ImageResult, Rgb, RgbImage, codecs::jpeg::JpegEncoder};

/// Maximum size of an upload, in bytes.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// Returns a JPEG of 4000 × 3000 pixels with structure and noise, nearly as large as an upload may be.
pub(crate) fn jpeg() -> ImageResult<Vec<u8>> {
    let picture = RgbImage::from_fn(4000, 3000, |x, y| Rgb(pixel(x, y)));
    let mut best = Vec::new();
    for quality in (70..=98).step_by(4) {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&picture)?;
        if jpeg.len() > MAX_BYTES {
            break;
        }
        best = jpeg;
    }
    Ok(best)
}

/// Returns a gradient with noise in the last three bits.
fn pixel(x: u32, y: u32) -> [u8; 3] {
    let noise = (x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35);
    [x / 16, y / 16, (x + y) / 32].map(|value| (value.to_le_bytes()[0] & 0xf8) | noise.to_be_bytes()[0] >> 5)
}
