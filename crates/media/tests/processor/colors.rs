//! Pictures in colour spaces other than sRGB. The expected colours are those of Little CMS (Pillow's `ImageCms`,
//! perceptual intent) for the same profiles.

use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageEncoder, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba,
    RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
};
use proptest::prelude::*;

use super::{
    assert_all,
    bombs::png_chunk,
    encoded,
    icc::{
        self, ADOBE_RGB, DISPLAY_P3, GAMMA_1_0, GAMMA_1_8, GAMMA_2_2, PROPHOTO, SRGB, be, gamma, gray,
        matrix, srgb_curve,
    },
    process, taken,
};

const FORMATS: [ImageFormat; 3] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
const COLORS: [[u8; 3]; 5] = [
    [200, 100, 50],
    [60, 180, 90],
    [40, 80, 200],
    [128, 128, 128],
    [250, 240, 10],
];

fn with_profile(image: impl Into<DynamicImage>, format: ImageFormat, profile: &[u8]) -> Vec<u8> {
    fn write(mut encoder: impl ImageEncoder, image: &DynamicImage, profile: &[u8]) {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        image.write_with_encoder(encoder).unwrap();
    }
    let (mut bytes, image) = (Vec::new(), image.into());
    match format {
        ImageFormat::Jpeg => write(JpegEncoder::new_with_quality(&mut bytes, 100), &image, profile),
        ImageFormat::Png => write(PngEncoder::new(&mut bytes), &image, profile),
        _ => write(WebPEncoder::new_lossless(&mut bytes), &image, profile),
    }
    bytes
}

fn square(color: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(8, 8, Rgb(color))
}

fn assert_converted(profile: &[u8], expected: [[u8; 3]; 5]) {
    for (color, expected) in COLORS.into_iter().zip(expected) {
        for format in FORMATS {
            assert_all(&taken(&with_profile(square(color), format, profile)), expected);
        }
        let wide = DynamicImage::from(square(color)).into_rgb16();
        assert_all(&taken(&with_profile(wide, ImageFormat::Png, profile)), expected);
    }
}

#[test]
fn display_p3_is_converted_to_srgb() {
    let expected = [
        [215, 93, 31],
        [0, 183, 78],
        [22, 81, 208],
        [128; 3],
        [252, 240, 0],
    ];
    assert_converted(&matrix(DISPLAY_P3, &srgb_curve()), expected);
}

#[test]
fn adobe_rgb_is_converted_to_srgb() {
    let expected = [
        [227, 100, 42],
        [0, 181, 83],
        [0, 79, 205],
        [129; 3],
        [254, 240, 0],
    ];
    assert_converted(&matrix(ADOBE_RGB, &gamma(GAMMA_2_2)), expected);
}

#[test]
fn prophoto_is_converted_to_srgb() {
    let expected = [
        [255, 80, 46],
        [0, 209, 87],
        [0, 105, 222],
        [146; 3],
        [255, 241, 0],
    ];
    assert_converted(&matrix(PROPHOTO, &gamma(GAMMA_1_8)), expected);
}

#[test]
fn swapped_colorants_are_swapped_back() {
    let expected = [
        [100, 200, 50],
        [180, 60, 90],
        [80, 40, 200],
        [128; 3],
        [240, 250, 10],
    ];
    assert_converted(&matrix([SRGB[1], SRGB[0], SRGB[2]], &srgb_curve()), expected);
}

#[test]
fn linear_light_is_converted_to_srgb() {
    let expected = [
        [229, 168, 122],
        [133, 219, 160],
        [110, 152, 229],
        [188; 3],
        [253, 248, 56],
    ];
    assert_converted(&matrix(SRGB, &gamma(GAMMA_1_0)), expected);
}

#[test]
fn tables_of_colors_are_converted_to_srgb() {
    let expected = [
        [145, 107, 104],
        [99, 135, 101],
        [45, 78, 103],
        [119; 3],
        [237, 214, 147],
    ];
    assert_converted(&icc::table(*b"A2B0"), expected);
    assert_converted(&icc::table(*b"A2B1"), expected);
}

#[test]
fn gray_profiles_are_converted_to_srgb() {
    for (exponent, expected) in [
        (GAMMA_1_0, [55, 137, 188, 229]),
        (GAMMA_1_8, [10, 81, 146, 210]),
        (GAMMA_2_2, [3, 62, 129, 201]),
    ] {
        for (level, expected) in [10, 64, 128, 200].into_iter().zip(expected) {
            let image = GrayImage::from_pixel(8, 8, Luma([level]));
            for format in [ImageFormat::Jpeg, ImageFormat::Png] {
                let upload = with_profile(image.clone(), format, &gray(exponent));
                assert_all(&taken(&upload), [expected; 3]);
            }
            let wide = DynamicImage::from(image).into_luma16();
            assert_all(
                &taken(&with_profile(wide, ImageFormat::Png, &gray(exponent))),
                [expected; 3],
            );
        }
    }
}

#[test]
fn srgb_profiles_change_nothing() {
    let image = RgbImage::from_fn(64, 64, |x, y| {
        Rgb([x * 4, y * 4, (x * y) % 256].map(|sample| u8::try_from(sample).unwrap()))
    });
    let table: Vec<u8> = (0..1024_u32)
        .flat_map(|index| srgb_sample(index).to_be_bytes())
        .collect();
    let table = [b"curv\0\0\0\0\0\0\x04\0".to_vec(), table].concat();
    for curve in [srgb_curve(), table] {
        let profile = matrix(SRGB, &curve);
        for format in FORMATS {
            let expected = process(&encoded_alike(&image, format)).unwrap();
            assert!(process(&with_profile(image.clone(), format, &profile)).unwrap() == expected);
        }
    }
}

/// Returns the curve of sRGB as a table of 1024 entries, as in the most common profile.
fn srgb_sample(index: u32) -> u16 {
    let encoded = f64::from(index) / 1023.0;
    let linear = if encoded <= 0.04045 {
        encoded / 12.92
    } else {
        ((encoded + 0.055) / 1.055).powf(2.4)
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 65535"
    )]
    let sample = (linear * 65_535.0).round() as u16;
    sample
}

/// Like [`with_profile`], without a profile.
fn encoded_alike(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    match format {
        ImageFormat::Jpeg => image
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 100))
            .unwrap(),
        _ => return encoded(image.clone(), format),
    }
    bytes
}

#[test]
fn colors_are_converted_before_they_are_put_on_white() {
    let profile = matrix(DISPLAY_P3, &srgb_curve());
    // Half of [200, 100, 50] in Display P3, which is [215, 93, 31] in sRGB, and half of white.
    let image = RgbaImage::from_pixel(8, 8, Rgba([200, 100, 50, 128]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_all(
            &taken(&with_profile(image.clone(), format, &profile)),
            [235, 174, 143],
        );
    }
    let wide = DynamicImage::from(image).into_rgba16();
    assert_all(
        &taken(&with_profile(wide, ImageFormat::Png, &profile)),
        [235, 174, 143],
    );
    let clear = RgbaImage::from_pixel(8, 8, Rgba([200, 100, 50, 0]));
    assert_all(&taken(&with_profile(clear, ImageFormat::Png, &profile)), [255; 3]);
    let gray_alpha = GrayAlphaImage::from_pixel(8, 8, LumaA([128, 128]));
    let upload = with_profile(gray_alpha, ImageFormat::Png, &gray(GAMMA_1_0));
    assert_all(&taken(&upload), [221; 3]);
}

#[test]
fn cicp_chunks_are_converted_to_srgb() {
    let with_cicp = |image: DynamicImage, cicp: [u8; 4]| {
        let png = encoded(image, ImageFormat::Png);
        let (header, rest) = png.split_at(8 + 25);
        let mut bytes = header.to_vec();
        png_chunk(&mut bytes, *b"cICP", &cicp);
        [&bytes, rest].concat()
    };
    let orange = || DynamicImage::from(square([200, 100, 50]));
    // Display P3, linear sRGB, and sRGB.
    assert_all(&taken(&with_cicp(orange(), [12, 13, 0, 1])), [215, 93, 31]);
    assert_all(&taken(&with_cicp(orange(), [1, 8, 0, 1])), [229, 168, 122]);
    assert_all(&taken(&with_cicp(orange(), [1, 13, 0, 1])), [200, 100, 50]);
    let gray = DynamicImage::from(GrayImage::from_pixel(8, 8, Luma([128])));
    assert_all(&taken(&with_cicp(gray, [1, 8, 0, 1])), [188; 3]);
    // High dynamic range, unknown numbers and another range.
    for ignored in [
        [9, 16, 0, 1],
        [9, 18, 0, 1],
        [0, 13, 0, 1],
        [2, 2, 0, 1],
        [255, 255, 0, 1],
        [12, 13, 0, 0],
    ] {
        assert_all(&taken(&with_cicp(orange(), ignored)), [200, 100, 50]);
    }
}

#[test]
fn unusable_profiles_are_ignored() {
    let p3 = matrix(DISPLAY_P3, &srgb_curve());
    let color = [200, 100, 50];
    for (name, profile) in unusable(&p3) {
        for format in FORMATS {
            let upload = with_profile(square(color), format, &profile);
            assert_all(&taken(&upload), color);
            assert_eq!(
                process(&upload).unwrap(),
                process(&encoded_alike(&square(color), format)).unwrap(),
                "{name}"
            );
        }
    }
}

fn unusable(p3: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let changed = |at: usize, bytes: &[u8]| {
        let mut profile = p3.to_vec();
        profile[at..at + bytes.len()].copy_from_slice(bytes);
        profile
    };
    vec![
        ("a single byte", vec![0]),
        ("text", b"This is not a profile.".repeat(20)),
        ("zeros", vec![0; 1000]),
        ("a header alone", p3[..128].to_vec()),
        ("half of the tags", p3[..170].to_vec()),
        ("half of the data", p3[..p3.len() / 2].to_vec()),
        ("another signature", changed(36, b"nope")),
        ("a profile for gray", gray(GAMMA_1_0)),
        ("a profile for CMYK", changed(16, b"CMYK")),
        ("no such colour space", changed(16, b"????")),
        ("no such connection space", changed(20, b"????")),
        ("too many tags", changed(128, &u32::MAX.to_be_bytes())),
        ("data beyond the end", changed(136, &u32::MAX.to_be_bytes())),
        ("endless data", changed(140, &u32::MAX.to_be_bytes())),
        ("no tags", changed(128, &[0; 4])),
    ]
}

#[test]
fn profiles_for_color_are_ignored_in_gray_pictures() {
    let image = GrayImage::from_pixel(8, 8, Luma([100]));
    let upload = with_profile(image, ImageFormat::Jpeg, &matrix(PROPHOTO, &gamma(GAMMA_1_8)));
    assert_all(&taken(&upload), [100; 3]);
}

/// Returns profiles that are small, or as large as an upload may be, and would take gigabytes or minutes to read
/// completely.
#[test]
fn compressed_profiles_cost_little() {
    let mut tables: Vec<_> = std::iter::repeat_n((b"A2B0", Vec::new()), 200_000).collect();
    tables[0].1 = [icc::lut(), vec![0; 1 << 20]].concat();
    let mut repeated = icc::profile(*b"RGB ", *b"Lab ", &tables);
    // All tags refer to the same data.
    let first = repeated[136..144].to_vec();
    for tag in 0..200_000 {
        repeated[132 + 12 * tag + 4..][..8].copy_from_slice(&first);
    }

    let records = 100_000;
    let mut texts = [b"mluc\0\0\0\0".as_slice(), &be(records), &be(12)].concat();
    for _ in 0..records {
        texts.extend([b"enUS".as_slice(), &be(1 << 20), &be(16)].concat());
    }
    let mut tags = vec![(b"desc", texts.clone()), (b"cprt", texts)];
    tags.push((b"A2B0", icc::lut()));
    let texts = icc::profile(*b"RGB ", *b"Lab ", &tags);

    let long = [matrix(DISPLAY_P3, &srgb_curve()), vec![0; 5 << 20]].concat();

    for (profile, expected) in [
        (repeated, [145, 107, 104]),
        (texts, [145, 107, 104]),
        (long, [200, 100, 50]),
    ] {
        let start = std::time::Instant::now();
        let upload = with_profile(square([200, 100, 50]), ImageFormat::Png, &profile);
        assert_all(&taken(&upload), expected);
        assert!(start.elapsed().as_secs() < 10);
    }
}

proptest! {
    #[test]
    fn changed_profile_causes_no_panic(
        profile in prop::sample::select(vec![
            matrix(DISPLAY_P3, &srgb_curve()),
            matrix(ADOBE_RGB, &gamma(GAMMA_2_2)),
            icc::table(*b"A2B0"),
            icc::profile(*b"RGB ", *b"Lab ", &[(b"A2B0", multi_process())]),
            gray(GAMMA_1_8),
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut profile = profile;
        for (index, byte) in changes {
            *index.get_mut(&mut profile) = byte;
        }
        let color = with_profile(square([200, 100, 50]), ImageFormat::Png, &profile);
        prop_assert!(process(&color).is_ok());
        let gray = with_profile(GrayImage::from_pixel(8, 8, Luma([128])), ImageFormat::Png, &profile);
        prop_assert!(process(&gray).is_ok());
    }
}

/// Builds a table of version 4: curves, a table with two points in each dimension, curves, a matrix and curves.
fn multi_process() -> Vec<u8> {
    let curves = [gamma(GAMMA_1_8), vec![0; 2]].concat().repeat(3);
    let [b_curves, matrix, m_curves, table, a_curves] = [32, 80, 128, 176, 220];
    let mut bytes = b"mAB \0\0\0\0\x03\x03\0\0".to_vec();
    for offset in [b_curves, matrix, m_curves, table, a_curves] {
        bytes.extend(be(offset));
    }
    bytes.extend(&curves);
    for row in 0..4_usize {
        for column in 0..3 {
            bytes.extend(be(if row == column { 0x1_0000 } else { 0 }));
        }
    }
    bytes.extend(&curves);
    bytes.extend([2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend((0..24).map(|sample| sample * 10));
    bytes.extend(&curves);
    bytes
}
