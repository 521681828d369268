//! Converts an upload for storage: decodes it within limits and encodes its pixels again.

use std::io::{self, Cursor};

use image::{
    ImageDecoder, ImageFormat, ImageResult, Limits,
    codecs::{gif::GifDecoder, jpeg::JpegDecoder, jpeg::JpegEncoder, png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};
use mycars_application::ports::{ImageError, ImageProcessor, Upload};

use crate::{
    color::Conversion,
    container::Container,
    exif, formats,
    memory::{Memory, Reservation},
    upright::Upright,
};

/// JPEG quality in percent: hardly any visible loss against 100, at a fraction of the size.
const QUALITY: u8 = 85;
/// Maximum width and height of a JPEG in pixels.
const MAX_SIDE: u32 = 65_535;
/// Maximum memory of a decoder in bytes for each pixel: four channels of 16 bits, or the frame and the screen of a
/// GIF.
const BYTES_PER_PIXEL: u64 = 8;
/// Maximum size of the texts and profiles of a PNG in bytes: far more than ordinary files need, and little in an
/// attack.
const PNG_METADATA_BYTES: u64 = 16 << 20;

/// Converts JPEG, PNG, WebP and GIF to baseline JPEGs that contain only pixels.
///
/// Colours are converted to sRGB from the colour space of an ICC profile or of a PNG's `cICP` chunk, because the JPEG
/// has no profile. The chunks `gAMA` and `cHRM` of a PNG are ignored, as in Pillow: in practice they only repeat,
/// often wrongly, that the picture is sRGB.
///
/// Any number of threads may call it: pictures that have too many pixels together are decoded one after the other.
#[derive(Debug)]
pub struct JpegProcessor {
    max_megapixels: u32,
    memory: Memory,
}

impl ImageProcessor for JpegProcessor {
    fn process(&self, upload: &mut dyn Upload) -> Result<Vec<u8>, ImageError> {
        let bytes = read(upload).map_err(|error| ImageError::Failed(error.into()))?;
        let (_memory, picture) = self.decode(&bytes)?;
        drop(bytes);
        encode(&picture).map_err(|error| ImageError::Failed(error.into()))
    }
}

impl JpegProcessor {
    /// Accepts pictures of at most `max_megapixels` million pixels, and decodes pictures of at most one and a half times
    /// as many together at the same time: an ordinary picture does not wait for one of the largest.
    #[must_use]
    pub fn new(max_megapixels: u32) -> Self {
        Self {
            max_megapixels,
            memory: Memory::new(max_pixels(max_megapixels) * 3 / 2),
        }
    }

    /// Decodes a picture. The memory that it takes is reserved until the reservation is dropped.
    fn decode(&self, bytes: &[u8]) -> Result<(Reservation<'_>, Upright), ImageError> {
        if let Some(format) = formats::unsupported(bytes) {
            return Err(ImageError::UnsupportedFormat(format));
        }
        let format = image::guess_format(bytes).map_err(not_an_image)?;
        let container = Container::read(format, bytes).ok_or(ImageError::NotAnImage)?;
        for frame in &container.frames {
            self.check(*frame)?;
        }
        let decoder = decoder(format, container.bytes).map_err(not_an_image)?;
        let largest = container.frames.iter().copied().chain([decoder.dimensions()]);
        let pixels = largest.map(|(width, height)| u64::from(width) * u64::from(height));
        self.check(decoder.dimensions())?;
        let memory = self.memory.reserve(pixels.max().unwrap_or_default());
        let picture = self.read_pixels(decoder, &container).map_err(not_an_image)?;
        Ok((memory, picture))
    }

    /// Refuses a size with too many pixels or with none.
    fn check(&self, (width, height): (u32, u32)) -> Result<(), ImageError> {
        match u64::from(width) * u64::from(height) {
            0 => Err(ImageError::NotAnImage),
            pixels if pixels > self.max_pixels() => Err(ImageError::TooManyPixels {
                max_megapixels: self.max_megapixels,
            }),
            _ => Ok(()),
        }
    }

    fn read_pixels(
        &self,
        mut decoder: Box<dyn ImageDecoder + '_>,
        container: &Container<'_>,
    ) -> ImageResult<Upright> {
        let (size, color) = (decoder.dimensions(), decoder.color_type());
        let conversion = conversion(&mut *decoder, container.cicp);
        let mut limits = self.limits();
        limits.reserve_buffer(size.0, size.1, color)?;
        decoder.set_limits(limits)?;
        let mut samples = vec![0; size.0 as usize * size.1 as usize * usize::from(color.bytes_per_pixel())];
        decoder.read_image(&mut samples)?;
        // Colours are converted before transparent pixels are put on white: the profile describes the colours of the
        // picture, and the white background belongs to the result.
        if let Some(conversion) = conversion {
            conversion.apply(&mut samples);
        }
        let orientation = container.exif.and_then(exif::orientation);
        Ok(Upright {
            samples,
            color,
            size,
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
        })
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::no_limits();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(self.max_pixels() * BYTES_PER_PIXEL);
        limits
    }

    fn max_pixels(&self) -> u64 {
        max_pixels(self.max_megapixels)
    }
}

fn max_pixels(max_megapixels: u32) -> u64 {
    u64::from(max_megapixels) * 1_000_000
}

fn read(upload: &mut dyn Upload) -> io::Result<Vec<u8>> {
    upload.rewind()?;
    let mut bytes = Vec::new();
    upload.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the decoder of a format that has a [`Container`].
fn decoder(format: ImageFormat, bytes: &[u8]) -> ImageResult<Box<dyn ImageDecoder + '_>> {
    let bytes = Cursor::new(bytes);
    Ok(match format {
        ImageFormat::Jpeg => Box::new(JpegDecoder::new(bytes)?),
        ImageFormat::Gif => Box::new(GifDecoder::new(bytes)?),
        ImageFormat::WebP => Box::new(WebPDecoder::new(bytes)?),
        _ => {
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(PNG_METADATA_BYTES);
            Box::new(PngDecoder::with_limits(bytes, limits)?)
        }
    })
}

/// Returns the conversion to sRGB for the samples of a decoder, or `None` if they are sRGB or the profile cannot be
/// used.
fn conversion(decoder: &mut dyn ImageDecoder, cicp: Option<[u8; 4]>) -> Option<Conversion> {
    let color = decoder.color_type();
    let from_cicp = cicp.and_then(|cicp| Conversion::from_cicp(cicp, color));
    from_cicp.or_else(|| Conversion::from_icc(decoder.icc_profile().ok()??, color))
}

/// The details are dropped, because only the uploader could act on them.
fn not_an_image(_: image::ImageError) -> ImageError {
    ImageError::NotAnImage
}

fn encode(picture: &Upright) -> ImageResult<Vec<u8>> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(picture)?;
    Ok(jpeg)
}
