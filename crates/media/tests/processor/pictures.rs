//! Uploads that are accepted, and their results.

use std::io::{Cursor, Read, Write};

use flate2::{Compression, write::ZlibEncoder};
use image::{
    GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
    imageops::crop_imm, metadata::Orientation,
};
use mycars_application::ports::ImageProcessor;
use mycars_media::JpegProcessor;

use super::{assert_all, bombs, encoded, file, process, taken};

#[test]
fn contract_files_keep_their_size() {
    for (name, size) in [
        ("tiny.jpg", (4, 3)),
        ("tiny.png", (4, 3)),
        ("tiny.webp", (4, 3)),
        ("tiny.gif", (5, 2)),
        ("exif.jpg", (40, 60)),
    ] {
        assert_eq!(taken(&file(name)).dimensions(), size, "{name}");
    }
}

#[test]
fn data_after_a_picture_is_ignored() {
    for name in ["tiny.jpg", "tiny.png", "tiny.webp", "tiny.gif"] {
        let padded = [file(name), vec![0; 1000]].concat();
        assert_eq!(process(&padded).unwrap(), process(&file(name)).unwrap(), "{name}");
    }
}

#[test]
fn upload_is_read_from_its_start() {
    let mut upload = Cursor::new(file("tiny.jpg"));
    upload.read_exact(&mut [0; 10]).unwrap();
    assert!(JpegProcessor::new(40).process(&mut upload).is_ok());
}

#[test]
fn only_pixels_of_the_upload_are_stored() {
    let upload = file("exif.jpg");
    assert!(contains(&upload, b"Exif") && contains(&upload, b"SecretCam"));
    let jpeg = process(&upload).unwrap();
    for secret in [
        b"Exif".as_slice(),
        b"SecretCam",
        b"GPS",
        b"ns.adobe.com",
        b"ICC_PROFILE",
    ] {
        assert!(!contains(&jpeg, secret), "{secret:?}");
    }
    assert_eq!(application_segments(&jpeg), [0xe0]);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Returns the markers of application segments up to the first scan.
fn application_segments(jpeg: &[u8]) -> Vec<u8> {
    let (mut rest, mut markers) = (&jpeg[2..], Vec::new());
    while rest[1] != 0xda {
        markers.extend(Some(rest[1]).filter(|marker| (0xe0..=0xef).contains(marker)));
        rest = &rest[2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]))..];
    }
    markers
}

#[test]
fn orientation_of_a_photo_is_applied() {
    let upload = file("exif.jpg");
    let mut expected = image::load_from_memory(&upload).unwrap();
    expected.apply_orientation(Orientation::Rotate90);
    let (expected, picture) = (expected.into_rgb8(), taken(&upload));
    let difference = |(one, other): (&u8, &u8)| u64::from(one.abs_diff(*other));
    let sum: u64 = expected.iter().zip(picture.iter()).map(difference).sum();
    // The loss of JPEG for noise. With a wrong orientation, the difference is 80.
    assert!(sum / expected.len() as u64 <= 8, "{sum}");
}

#[test]
fn transparency_becomes_white() {
    let clear = RgbaImage::from_pixel(8, 8, Rgba([200, 0, 0, 0]));
    let half = RgbaImage::from_pixel(8, 8, Rgba([255, 0, 0, 128]));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        assert_all(&taken(&encoded(clear.clone(), format)), [255; 3]);
    }
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_all(&taken(&encoded(half.clone(), format)), [255, 127, 127]);
    }
    let grey = GrayAlphaImage::from_pixel(8, 8, LumaA([0, 51]));
    assert_all(&taken(&encoded(grey, ImageFormat::Png)), [204; 3]);
}

#[test]
fn grey_and_16_bit_pictures_are_accepted() {
    assert_all(
        &taken(&encoded(
            GrayImage::from_pixel(8, 8, Luma([90])),
            ImageFormat::Png,
        )),
        [90; 3],
    );
    assert_all(
        &taken(&encoded(
            GrayImage::from_pixel(8, 8, Luma([90])),
            ImageFormat::Jpeg,
        )),
        [90; 3],
    );
    let wide = ImageBuffer::from_pixel(8, 8, Luma([90 * 257_u16]));
    assert_all(&taken(&encoded(wide, ImageFormat::Png)), [90; 3]);
    let wide = ImageBuffer::from_pixel(8, 8, Rgb([0, 128 * 257, u16::MAX]));
    assert_all(&taken(&encoded(wide, ImageFormat::Png)), [0, 128, 255]);
    let wide = ImageBuffer::from_pixel(8, 8, Rgba([0, 0, 0, u16::MAX / 5]));
    assert_all(&taken(&encoded(wide, ImageFormat::Png)), [204; 3]);
}

#[test]
fn cmyk_jpeg_is_accepted() {
    // Cyan, magenta, yellow and black are 128 each; Adobe stores them inverted.
    assert_all(&taken(&print_jpeg(CMYK)), [64; 3]);
    assert_all(&taken(&print_jpeg(YCCK)), [64; 3]);
}

/// Builds Adobe's segment, which names the colour space of a JPEG with four components.
const CMYK: u8 = 0;
const YCCK: u8 = 2;

/// Builds the smallest JPEG with four components: 8 × 8, each block equal to the one before.
fn print_jpeg(transform: u8) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".to_vec();
    bytes.push(transform);
    bytes.extend(bombs::jpeg_tables());
    bytes.extend([0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4]);
    bytes.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
    bytes.extend([0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    bytes.extend([0x00, 0xff, 0xd9]);
    bytes
}

#[test]
fn animation_is_reduced_to_its_first_frame() {
    let [red, blue] = [[255, 0, 0], [0, 0, 255]];
    let square = |color, format| encoded(RgbImage::from_pixel(8, 8, Rgb(color)), format);
    assert_all(&taken(&file("tiny.gif")), red);
    assert_all(
        &taken(&animated_png(
            &square(red, ImageFormat::Png),
            &square(blue, ImageFormat::Png),
        )),
        red,
    );
    let frames = [red, blue].map(|color| square(color, ImageFormat::WebP)[12..].to_vec());
    assert_all(&taken(&bombs::animation(7, &frames)), red);
}

/// Builds a PNG that shows one picture of 8 × 8 and then another.
fn animated_png(first: &[u8], second: &[u8]) -> Vec<u8> {
    const BEFORE_DATA: usize = 8 + 25;
    let control = |sequence: u8| {
        let mut control = vec![0, 0, 0, sequence, 0, 0, 0, 8, 0, 0, 0, 8];
        control.extend([0; 14]);
        control
    };
    let length = usize::from(second[BEFORE_DATA + 3]);
    let data = &second[BEFORE_DATA + 8..][..length];
    let mut bytes = first[..BEFORE_DATA].to_vec();
    bombs::png_chunk(&mut bytes, *b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    bombs::png_chunk(&mut bytes, *b"fcTL", &control(0));
    bytes.extend(&first[BEFORE_DATA..first.len() - 12]);
    bombs::png_chunk(&mut bytes, *b"fcTL", &control(1));
    bombs::png_chunk(&mut bytes, *b"fdAT", &[&[0, 0, 0, 2], data].concat());
    bombs::png_chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

#[test]
fn picture_with_the_maximum_of_pixels_is_accepted() {
    let image = GrayImage::from_pixel(1000, 1000, Luma([0]));
    assert!(super::process_within(1, &encoded(image, ImageFormat::Png)).is_ok());
}

/// Files written by Pillow, orange on the left and blue on the right.
#[test]
fn progressive_and_cmyk_jpegs_keep_their_colors() {
    for upload in [
        include_bytes!("../pictures/progressive.jpg").as_slice(),
        include_bytes!("../pictures/cmyk.jpg"),
    ] {
        let picture = taken(upload);
        assert_eq!(picture.dimensions(), (24, 16));
        assert_all(&crop_imm(&picture, 0, 0, 8, 16).to_image(), [200, 100, 50]);
        assert_all(&crop_imm(&picture, 16, 0, 8, 16).to_image(), [40, 80, 200]);
    }
}

#[test]
fn palettes_with_transparency_are_accepted() {
    const PALETTE: u8 = 3;
    for (depth, row) in [
        (1, vec![0xff]),
        (2, vec![0x55; 2]),
        (4, vec![0x11; 4]),
        (8, vec![1; 8]),
    ] {
        let chunks: [(&[u8; 4], &[u8]); 2] = [(b"PLTE", &[9, 9, 9, 255, 0, 0]), (b"tRNS", &[255, 128])];
        let rows: Vec<u8> = (0..8).flat_map(|_| [vec![0], row.clone()].concat()).collect();
        let upload = png([depth, PALETTE, 0, 0, 0], &chunks, &rows);
        assert_all(&taken(&upload), [255, 127, 127]);
    }
}

#[test]
fn one_transparent_color_becomes_white() {
    const RGB: u8 = 2;
    let row = [vec![0], [10, 20, 30].repeat(8)].concat();
    let transparent: (&[u8; 4], &[u8]) = (b"tRNS", &[0, 10, 0, 20, 0, 30]);
    let upload = png([8, RGB, 0, 0, 0], &[transparent], &row.repeat(8));
    assert_all(&taken(&upload), [255; 3]);
}

#[test]
fn gray_of_few_bits_is_accepted() {
    const GRAY: u8 = 0;
    for (depth, row, expected) in [
        (1, vec![0xff], 255),
        (2, vec![0x55; 2], 85),
        (4, vec![0x66; 4], 102),
    ] {
        let rows = [vec![0], row].concat().repeat(8);
        assert_all(&taken(&png([depth, GRAY, 0, 0, 0], &[], &rows)), [expected; 3]);
    }
}

#[test]
fn interlaced_pngs_are_accepted() {
    const GRAY: u8 = 0;
    const INTERLACED: u8 = 1;
    // The first pixel of each of the seven passes, and the steps to the next one in either direction.
    const PASSES: [([usize; 2], [usize; 2]); 7] = [
        ([0, 0], [8, 8]),
        ([4, 0], [8, 8]),
        ([0, 4], [4, 8]),
        ([2, 0], [4, 4]),
        ([0, 2], [2, 4]),
        ([1, 0], [2, 2]),
        ([0, 1], [1, 2]),
    ];
    let gray = |x: usize, y: usize| u8::try_from(20 * x + 8 * y).unwrap();
    let mut data = Vec::new();
    for ([left, top], [right, down]) in PASSES {
        for y in (top..8).step_by(down) {
            data.push(0);
            data.extend((left..8).step_by(right).map(|x| gray(x, y)));
        }
    }
    let picture = taken(&png([8, GRAY, 0, 0, INTERLACED], &[], &data));
    for (x, y, Rgb(pixel)) in picture.enumerate_pixels() {
        assert!(pixel[0].abs_diff(gray(x as usize, y as usize)) <= 4, "{x} {y}");
    }
}

/// Builds a PNG of 8 × 8 pixels. The end of its header has the depth, the colour type and the interlacing.
fn png(end_of_header: [u8; 5], chunks: &[(&[u8; 4], &[u8])], rows: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [[0, 0, 0, 8, 0, 0, 0, 8].as_slice(), &end_of_header].concat();
    bombs::png_chunk(&mut bytes, *b"IHDR", &header);
    for (kind, content) in chunks {
        bombs::png_chunk(&mut bytes, **kind, content);
    }
    let mut data = ZlibEncoder::new(Vec::new(), Compression::default());
    data.write_all(rows).unwrap();
    bombs::png_chunk(&mut bytes, *b"IDAT", &data.finish().unwrap());
    bombs::png_chunk(&mut bytes, *b"IEND", &[]);
    bytes
}
