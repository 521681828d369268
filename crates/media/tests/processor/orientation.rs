//! Photos with an orientation in their EXIF metadata. These tests check where metadata is found; `exif.rs` tests how
//! it is read.

use image::{ImageFormat, Rgb, RgbImage};

use super::{bombs::png_chunk, encoded, process, taken};

/// Turned by 90 degrees, in the type of the standard, big-endian.
const SHORT: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
/// The same as LONG, little-endian, as some programs write it.
const LONG: &[u8] = b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
/// Turned by 180 degrees.
const OTHER: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";

/// Builds a picture that is red on the left and blue on the right. Turned, red is above blue.
fn photo() -> RgbImage {
    RgbImage::from_fn(48, 32, |x, _| {
        if x < 24 {
            Rgb([250, 0, 0])
        } else {
            Rgb([0, 0, 250])
        }
    })
}

fn assert_turned(upload: &[u8]) {
    let picture = taken(upload);
    assert_eq!(picture.dimensions(), (32, 48));
    assert!(picture[(16, 4)].0[0] > 200 && picture[(16, 44)].0[2] > 200);
}

fn assert_untouched(upload: &[u8]) {
    assert_eq!(taken(upload).dimensions(), (48, 32));
}

fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    let jpeg = encoded(photo(), ImageFormat::Jpeg);
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], length.as_slice(), content].concat()
}

fn exif(content: &[u8]) -> Vec<u8> {
    segment(0xe1, &[b"Exif\0\0", content].concat())
}

fn xmp() -> Vec<u8> {
    segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
}

fn png(before_pixels: &[(&[u8; 4], &[u8])], after_pixels: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    const HEADER: usize = 8 + 25;
    const END: usize = 12;
    let png = encoded(photo(), ImageFormat::Png);
    let mut bytes = png[..HEADER].to_vec();
    for (kind, content) in before_pixels {
        png_chunk(&mut bytes, **kind, content);
    }
    bytes.extend(&png[HEADER..png.len() - END]);
    for (kind, content) in after_pixels {
        png_chunk(&mut bytes, **kind, content);
    }
    bytes.extend(&png[png.len() - END..]);
    bytes
}

fn webp(exif: &[u8]) -> Vec<u8> {
    const WITH_EXIF: u8 = 0x08;
    let chunk = |kind: &[u8], content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let padding = vec![0; content.len() % 2];
        [kind, &length, content, &padding].concat()
    };
    let webp = encoded(photo(), ImageFormat::WebP);
    let extended = [WITH_EXIF, 0, 0, 0, 47, 0, 0, 31, 0, 0];
    let chunks = [&chunk(b"VP8X", &extended), &webp[12..], &chunk(b"EXIF", exif)].concat();
    chunk(b"RIFF", &[b"WEBP", chunks.as_slice()].concat())
}

#[test]
fn jpeg_orientation_is_applied() {
    let other = segment(0xe2, b"MPF\0 and more");
    for segments in [
        vec![exif(SHORT)],
        vec![exif(LONG)],
        vec![xmp(), exif(LONG)],
        vec![exif(SHORT), xmp()],
        vec![
            segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            other,
            xmp(),
            exif(LONG),
        ],
        vec![segment(0xe1, b""), segment(0xe1, b"Exif"), exif(SHORT)],
        // The rest of metadata that does not fit into one segment.
        vec![exif(SHORT), exif(&[0x55; 1000])],
        vec![exif(SHORT), exif(OTHER)],
    ] {
        assert_turned(&jpeg(&segments));
    }
}

#[test]
fn png_orientation_is_applied() {
    for content in [SHORT, LONG, &[b"Exif\0\0", LONG].concat()] {
        assert_turned(&png(&[(b"eXIf", content)], &[]));
        assert_turned(&png(&[], &[(b"eXIf", content)]));
    }
}

#[test]
fn webp_orientation_is_applied() {
    for content in [
        SHORT,
        LONG,
        &[b"Exif\0\0", SHORT].concat(),
        &[LONG, b"\0"].concat(),
    ] {
        assert_turned(&webp(content));
    }
}

#[test]
fn broken_metadata_is_ignored() {
    for broken in [
        b"".as_slice(),
        b"MM",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x02\0\x06\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0",
        &[0; 300],
        &[0xff; 301],
    ] {
        assert_untouched(&jpeg(&[exif(broken)]));
        assert_untouched(&png(&[(b"eXIf", broken)], &[]));
        assert_untouched(&webp(broken));
    }
}

#[test]
fn metadata_of_a_second_picture_is_ignored() {
    let first = jpeg(&[segment(0xe2, b"MPF\0 and more")]);
    let upload = [first.as_slice(), &jpeg(&[exif(SHORT)])].concat();
    assert!(process(&upload).unwrap() == process(&first).unwrap());
    assert_turned(&[jpeg(&[exif(LONG)]), jpeg(&[exif(OTHER)])].concat());
}
