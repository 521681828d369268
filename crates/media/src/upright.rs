//! Presents a decoded picture to the encoder: upright, opaque, eight bits a channel. Each pixel is computed on
//! demand, so that a large photo needs no second copy.

use image::{ColorType, GenericImageView, Rgb, metadata::Orientation};

/// A decoded picture and its orientation.
pub(crate) struct Upright {
    /// The samples as the decoder wrote them, row by row. Samples of 16 bits have the machine's byte order.
    pub(crate) samples: Vec<u8>,
    /// The type of the samples: any integer type.
    pub(crate) color: ColorType,
    /// Width and height as decoded.
    pub(crate) size: (u32, u32),
    /// The orientation that must be undone.
    pub(crate) orientation: Orientation,
}

impl Upright {
    /// Returns the position of the decoded pixel that is at (`x`, `y`) of the upright picture.
    fn source(&self, x: u32, y: u32) -> (u32, u32) {
        let (right, bottom) = (self.size.0 - 1, self.size.1 - 1);
        match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (right - x, y),
            Orientation::Rotate180 => (right - x, bottom - y),
            Orientation::FlipVertical => (x, bottom - y),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (y, bottom - x),
            Orientation::Rotate270FlipH => (right - y, bottom - x),
            Orientation::Rotate270 => (right - y, x),
        }
    }

    /// Returns the samples of a decoded pixel.
    fn samples_at(&self, x: u32, y: u32) -> &[u8] {
        let bytes = usize::from(self.color.bytes_per_pixel());
        let index = y as usize * self.size.0 as usize + x as usize;
        &self.samples[index * bytes..][..bytes]
    }
}

impl GenericImageView for Upright {
    type Pixel = Rgb<u8>;

    fn dimensions(&self) -> (u32, u32) {
        let (width, height) = self.size;
        match self.orientation {
            Orientation::NoTransforms
            | Orientation::FlipHorizontal
            | Orientation::Rotate180
            | Orientation::FlipVertical => (width, height),
            Orientation::Rotate90FlipH
            | Orientation::Rotate90
            | Orientation::Rotate270FlipH
            | Orientation::Rotate270 => (height, width),
        }
    }

    fn get_pixel(&self, x: u32, y: u32) -> Rgb<u8> {
        let (x, y) = self.source(x, y);
        let samples = self.samples_at(x, y);
        let channels = self.color.channel_count();
        if samples.len() == usize::from(channels) {
            opaque(channels, |channel| samples[channel])
        } else {
            opaque(channels, |channel| {
                to_eight_bits(u16::from_ne_bytes([
                    samples[2 * channel],
                    samples[2 * channel + 1],
                ]))
            })
        }
    }
}

/// Returns the pixel with these samples: grey or colour, and transparency if their number is even.
fn opaque(channels: u8, sample: impl Fn(usize) -> u8) -> Rgb<u8> {
    match channels {
        1 => Rgb([sample(0); 3]),
        2 => Rgb([on_white(sample(0), sample(1)); 3]),
        3 => Rgb([sample(0), sample(1), sample(2)]),
        _ => Rgb([0, 1, 2].map(|channel| on_white(sample(channel), sample(3)))),
    }
}

/// Returns `sample` blended with a white background.
fn on_white(sample: u8, alpha: u8) -> u8 {
    let darkness = u32::from(u8::MAX - sample) * u32::from(alpha);
    u8::MAX - rounded(darkness, u32::from(u8::MAX))
}

/// Converts a sample of 16 bits to 8 bits.
fn to_eight_bits(sample: u16) -> u8 {
    rounded(u32::from(sample), u32::from(u16::MAX / u16::from(u8::MAX)))
}

/// Returns `dividend / divisor`, rounded to the nearest number.
fn rounded(dividend: u32, divisor: u32) -> u8 {
    u8::try_from((dividend + divisor / 2) / divisor).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, RgbImage};

    use super::*;

    fn rendered(picture: &Upright) -> RgbImage {
        let (width, height) = picture.dimensions();
        RgbImage::from_fn(width, height, |x, y| picture.get_pixel(x, y))
    }

    fn pixel(color: ColorType, samples: &[u8]) -> [u8; 3] {
        let picture = Upright {
            samples: samples.to_vec(),
            color,
            size: (1, 1),
            orientation: Orientation::NoTransforms,
        };
        picture.get_pixel(0, 0).0
    }

    fn wide(samples: &[u16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect()
    }

    #[test]
    fn every_orientation_is_undone() {
        let image = RgbImage::from_raw(3, 2, (0..18).collect()).unwrap();
        for orientation in (1..=8).map(|exif| Orientation::from_exif(exif).unwrap()) {
            let mut expected = DynamicImage::from(image.clone());
            expected.apply_orientation(orientation);
            let picture = Upright {
                samples: image.to_vec(),
                color: ColorType::Rgb8,
                size: (3, 2),
                orientation,
            };
            assert_eq!(rendered(&picture), expected.into_rgb8(), "{orientation:?}");
        }
    }

    #[test]
    fn transparent_pixels_become_white() {
        assert_eq!(pixel(ColorType::Rgba8, &[200, 100, 0, 0]), [255; 3]);
        assert_eq!(pixel(ColorType::Rgba8, &[200, 100, 0, 255]), [200, 100, 0]);
        assert_eq!(pixel(ColorType::Rgba8, &[255, 0, 0, 128]), [255, 127, 127]);
        assert_eq!(pixel(ColorType::La8, &[0, 51]), [204; 3]);
        assert_eq!(pixel(ColorType::La16, &wide(&[0, 0])), [255; 3]);
        assert_eq!(
            pixel(ColorType::Rgba16, &wide(&[0, u16::MAX, 0, u16::MAX / 5])),
            [204, 255, 204]
        );
    }

    #[test]
    fn grey_and_16_bit_samples_become_8_bit_colour() {
        assert_eq!(pixel(ColorType::L8, &[7]), [7; 3]);
        assert_eq!(pixel(ColorType::L16, &wide(&[7 * 257])), [7; 3]);
        assert_eq!(pixel(ColorType::Rgb16, &wide(&[0, 257, u16::MAX])), [0, 1, 255]);
    }

    #[test]
    fn samples_of_16_bits_are_rounded_to_8_bits() {
        for sample in 0..=u16::MAX {
            let nearest = (f64::from(sample) / 257.0).round();
            assert!(
                (f64::from(to_eight_bits(sample)) - nearest).abs() < f64::EPSILON,
                "{sample}"
            );
        }
    }
}
