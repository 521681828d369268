//! Uploads that are refused before they take time or memory.

use image::{GrayImage, ImageFormat};
use mycars_application::ports::{ImageError, ImageProcessor};
use mycars_domain::UnsupportedFormat;
use mycars_media::JpegProcessor;

use super::{Unreadable, bombs, encoded, file, process, process_within, taken};

#[test]
fn incomplete_picture_is_refused() {
    for name in [
        "text.jpg",
        "drawing.svg",
        "empty.jpg",
        "truncated.jpg",
        "truncated.png",
        "polyglot.gif",
    ] {
        assert!(
            matches!(process(&file(name)), Err(ImageError::NotAnImage)),
            "{name}"
        );
    }
}

#[test]
fn recognised_formats_are_refused_by_name() {
    for (magic, expected) in [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".as_slice(),
            UnsupportedFormat::Heic,
        ),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", UnsupportedFormat::Avif),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", UnsupportedFormat::Video),
        (b"II*\0", UnsupportedFormat::Tiff),
        (b"MM\0*", UnsupportedFormat::Tiff),
        (b"\0\0\x01\0", UnsupportedFormat::Icon),
        (b"8BPS", UnsupportedFormat::Photoshop),
        (b"%PDF-1.4", UnsupportedFormat::Pdf),
    ] {
        let outcome = process(&[magic, &[0; 1000]].concat());
        assert!(
            matches!(outcome, Err(ImageError::UnsupportedFormat(format)) if format == expected),
            "{magic:?}"
        );
    }
}

#[test]
fn other_formats_are_refused_as_no_image() {
    for magic in [b"BM".as_slice(), b"qoif", b"P6 1 1 255 ", b"<svg", b"\0"] {
        let outcome = process(&[magic, &[0; 1000]].concat());
        assert!(matches!(outcome, Err(ImageError::NotAnImage)), "{magic:?}");
    }
}

#[test]
fn picture_with_one_row_too_many_is_refused() {
    let upload = encoded(GrayImage::new(1000, 1001), ImageFormat::Png);
    let outcome = process_within(1, &upload);
    assert!(matches!(
        outcome,
        Err(ImageError::TooManyPixels { max_megapixels: 1 })
    ));
}

#[test]
fn claimed_size_over_the_limit_is_refused() {
    for name in ["bomb.png", "bomb-full.png"] {
        let outcome = process(&file(name));
        assert!(
            matches!(outcome, Err(ImageError::TooManyPixels { max_megapixels: 40 })),
            "{name}"
        );
    }
}

#[test]
fn picture_too_long_for_a_jpeg_is_refused() {
    let upload = encoded(GrayImage::new(65_536, 1), ImageFormat::Png);
    assert!(matches!(process(&upload), Err(ImageError::NotAnImage)));
}

#[test]
fn bombs_are_refused() {
    for (name, bytes) in bombs::all() {
        assert!(
            matches!(
                process(&bytes),
                Err(ImageError::NotAnImage | ImageError::TooManyPixels { .. })
            ),
            "{name}"
        );
    }
}

#[test]
fn compressed_metadata_is_not_decompressed() {
    for (name, bytes) in bombs::harmless() {
        assert_eq!(taken(&bytes).dimensions(), (1, 1), "{name}");
    }
}

#[test]
fn unreadable_upload_is_an_io_error() {
    let outcome = JpegProcessor::new(40).process(&mut Unreadable);
    assert!(matches!(outcome, Err(ImageError::Failed(_))));
}
