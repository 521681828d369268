//! Conversion of decoded samples to sRGB. Viewers assume this colour space for pictures without a profile, such as
//! the stored ones.

use std::sync::Arc;

use image::ColorType;
use moxcms::{
    CicpColorPrimaries, CicpProfile, CmsError, ColorProfile, DataColorSpace, Layout, MatrixCoefficients,
    ParsingOptions, TransferCharacteristics, Transform8BitExecutor, Transform16BitExecutor, TransformOptions,
};

/// Maximum size of an ICC profile in bytes. Profiles of displays and cameras have less than 100 KiB, those of
/// printers up to 3 MiB.
const MAX_PROFILE_BYTES: usize = 4 << 20;
/// The tags of an ICC profile from which the conversion is computed. All others are skipped unread, because a small
/// profile can describe texts that take gigabytes.
const TAGS: [&[u8]; 9] = [
    b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"A2B0", b"A2B1",
];
/// Maximum difference between a sample and its conversion at which a profile counts as sRGB. Profiles of sRGB
/// approximate its curve, and converting from them would only add rounding errors.
const SRGB_TOLERANCE: u8 = 2;
/// Number of pixels that are converted at a time.
const PIXELS_AT_A_TIME: usize = 4096;

/// A conversion to sRGB of samples of one [`ColorType`].
pub(crate) struct Conversion {
    transform: Transform,
    bytes_per_pixel: usize,
}

enum Transform {
    EightBits(Arc<Transform8BitExecutor>),
    SixteenBits(Arc<Transform16BitExecutor>),
}

impl Conversion {
    /// Returns the conversion from the colour space of an ICC profile. Returns `None` if there is nothing to convert:
    /// the profile is sRGB, or it cannot be used, because it is broken, too large or not for these samples.
    pub(crate) fn from_icc(mut profile: Vec<u8>, color: ColorType) -> Option<Self> {
        skip_other_tags(&mut profile)?;
        let options = ParsingOptions {
            max_profile_size: MAX_PROFILE_BYTES,
            ..ParsingOptions::default()
        };
        let mut profile = ColorProfile::new_from_slice_with_options(&profile, options).ok()?;
        // If there is only one table, it is used for every rendering intent.
        let colorimetric = profile.lut_a_to_b_colorimetric.take();
        profile.lut_a_to_b_perceptual = profile.lut_a_to_b_perceptual.or(colorimetric);
        Self::new(&profile, color)
    }

    /// Returns the conversion from the colour space of a PNG's `cICP` chunk. Returns `None` if there is nothing to
    /// convert, and for high dynamic range (PQ and HLG), which would need tone mapping.
    pub(crate) fn from_cicp(chunk: [u8; 4], color: ColorType) -> Option<Self> {
        let [primaries, transfer @ (1 | 4..=6 | 8 | 13..=15), 0, 1] = chunk else {
            return None;
        };
        let mut profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
            transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        if !color.has_color() {
            profile.color_space = DataColorSpace::Gray;
            profile.gray_trc = profile.red_trc.take();
        }
        Self::new(&profile, color)
    }

    fn new(profile: &ColorProfile, color: ColorType) -> Option<Self> {
        let (layout, opaque_layout) = layouts(color);
        let target = target(color);
        if profile.color_space != target.color_space {
            return None;
        }
        let options = TransformOptions::default();
        let eight_bits = |layout| {
            profile
                .create_transform_8bit(layout, &target, layout, options)
                .ok()
        };
        if is_identity(&*eight_bits(opaque_layout)?, opaque_layout.channels())? {
            return None;
        }
        let transform = if color.bytes_per_pixel() == color.channel_count() {
            Transform::EightBits(eight_bits(layout)?)
        } else {
            let transform = profile.create_transform_16bit(layout, &target, layout, options);
            Transform::SixteenBits(transform.ok()?)
        };
        Some(Self {
            transform,
            bytes_per_pixel: color.bytes_per_pixel().into(),
        })
    }

    /// Converts whole pixels in place. If the conversion fails, which it can only for samples of another colour type,
    /// the samples stay unchanged.
    pub(crate) fn apply(&self, samples: &mut [u8]) {
        self.try_apply(samples).ok();
    }

    fn try_apply(&self, samples: &mut [u8]) -> Result<(), CmsError> {
        for samples in samples.chunks_mut(PIXELS_AT_A_TIME * self.bytes_per_pixel) {
            match &self.transform {
                Transform::EightBits(transform) => {
                    let source = samples.to_vec();
                    transform.transform(&source, samples)?;
                }
                Transform::SixteenBits(transform) => {
                    let samples = samples.as_chunks_mut().0;
                    let source: Vec<u16> = samples.iter().copied().map(u16::from_ne_bytes).collect();
                    let mut converted = vec![0; source.len()];
                    transform.transform(&source, &mut converted)?;
                    for (bytes, sample) in samples.iter_mut().zip(converted) {
                        *bytes = sample.to_ne_bytes();
                    }
                }
            }
        }
        Ok(())
    }
}

/// Erases the signatures of all tags that are not in [`TAGS`] or occur a second time. Returns `None` if the table of
/// tags is incomplete.
fn skip_other_tags(profile: &mut [u8]) -> Option<()> {
    const TAG_COUNT: usize = 128;
    const TAG_LENGTH: usize = 12;
    let (count, table) = profile.get_mut(TAG_COUNT..)?.split_first_chunk_mut()?;
    let length = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    let table = table.get_mut(..length.checked_mul(TAG_LENGTH)?)?;
    let mut unread = TAGS.to_vec();
    for tag in table.chunks_exact_mut(TAG_LENGTH) {
        let signature = &mut tag[..4];
        match unread.iter().position(|known| *known == signature) {
            Some(index) => drop(unread.swap_remove(index)),
            None => signature.fill(0),
        }
    }
    Some(())
}

/// Returns the layouts of the samples of a colour type: with transparency, if it has any, and without.
fn layouts(color: ColorType) -> (Layout, Layout) {
    match color.channel_count() {
        1 => (Layout::Gray, Layout::Gray),
        2 => (Layout::GrayAlpha, Layout::Gray),
        3 => (Layout::Rgb, Layout::Rgb),
        _ => (Layout::Rgba, Layout::Rgb),
    }
}

/// Returns the profile of sRGB, or of its grey values.
fn target(color: ColorType) -> ColorProfile {
    let srgb = ColorProfile::new_srgb();
    if color.has_color() {
        return srgb;
    }
    let mut gray = ColorProfile::new_gray_with_gamma(1.0);
    gray.gray_trc = srgb.red_trc;
    gray
}

/// Tells whether a conversion changes no sample of a probe by more than [`SRGB_TOLERANCE`]. Returns `None` if it fails.
fn is_identity(transform: &Transform8BitExecutor, channels: usize) -> Option<bool> {
    let levels = || (0..=u8::MAX).step_by(51);
    let grays = (0..=u8::MAX).flat_map(|gray| vec![gray; channels]);
    let colors = levels()
        .flat_map(|red| levels().flat_map(move |green| levels().flat_map(move |blue| [red, green, blue])));
    let probe: Vec<u8> = grays.chain(colors).collect();
    let mut converted = vec![0; probe.len()];
    transform.transform(&probe, &mut converted).ok()?;
    let mut pairs = probe.iter().zip(&converted);
    Some(pairs.all(|(before, after)| before.abs_diff(*after) <= SRGB_TOLERANCE))
}
