//! Properties that hold for arbitrary uploads. A panic of a decoder, or an allocation over the limit of the process,
//! ends these tests.

use std::sync::LazyLock;

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use mycars_application::ports::ImageError;
use proptest::prelude::*;

use super::{bombs, encoded, file, process_within};

/// Valid pictures and bombs that together cover all functions of the decoders.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut seeds: Vec<_> = [
        "tiny.jpg",
        "tiny.png",
        "tiny.webp",
        "tiny.gif",
        "exif.jpg",
        "truncated.png",
    ]
    .map(file)
    .into();
    let noise = |x: u32, y: u32| (x * 7919 + y * 104_729).to_le_bytes();
    let color = RgbImage::from_fn(20, 12, |x, y| image::Rgb([noise(x, y)[0], noise(x, y)[1], 9]));
    let clear = RgbaImage::from_fn(20, 12, |x, y| image::Rgba(noise(x, y)));
    let wide = DynamicImage::from(color.clone()).into_rgb16();
    seeds.extend([ImageFormat::Jpeg, ImageFormat::WebP].map(|format| encoded(color.clone(), format)));
    seeds.extend(
        [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif].map(|format| encoded(clear.clone(), format)),
    );
    seeds.push(encoded(wide, ImageFormat::Png));
    let frames = [1, 2].map(|_| encoded(clear.clone(), ImageFormat::WebP)[12..].to_vec());
    seeds.push(bombs::animation(19, &frames));
    seeds.extend(
        bombs::all()
            .into_iter()
            .map(|(_, bytes)| bytes)
            .filter(|bytes| bytes.len() < 10_000),
    );
    seeds
});

/// Generates data with the beginning of a picture of some format.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x08\x02",
    b"GIF89a\x08\0\x08\0",
    b"RIFF\x80\0\0\0WEBPVP8 \x70\0\0\0\x10\x08\0\x9d\x01\x2a\x20\0\x20\0",
    b"RIFF\x80\0\0\0WEBPVP8L\x70\0\0\0\x2f\x1f\xc0\x07\0",
];

/// Checks that a picture is processed within the limit, or that the error blames the upload.
fn check(bytes: &[u8]) -> Option<Vec<u8>> {
    match process_within(1, bytes) {
        Ok(jpeg) => {
            let picture = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).unwrap();
            assert!(picture.width() * picture.height() <= 1_000_000);
            Some(jpeg)
        }
        Err(ImageError::NotAnImage | ImageError::UnsupportedFormat(_) | ImageError::TooManyPixels { .. }) => {
            None
        }
        Err(error @ ImageError::Failed(_)) => panic!("{error:?}"),
    }
}

#[test]
fn truncated_picture_is_refused_unless_complete() {
    for seed in SEEDS.iter() {
        let Some(whole) = check(seed) else { continue };
        for length in 0..seed.len() {
            let part = check(&seed[..length]);
            assert!(
                part.is_none_or(|part| part == whole),
                "{length} of {:?}",
                &seed[..20]
            );
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_cause_no_panic(
        beginning in prop::sample::select(&BEGINNINGS[..]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        check(&[beginning, &rest].concat());
    }

    #[test]
    fn changed_picture_causes_no_panic(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = seed.get(&SEEDS).clone();
        for (index, byte) in changes {
            *index.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes);
    }
}
