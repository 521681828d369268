//! Checks a served picture: a JPEG of the expected size without metadata.

use super::case::Picture;

/// Texts that no served picture may contain: metadata of the camera and the place, and scripts.
const SECRETS: [&[u8]; 4] = [b"Exif\0", b"GPS", b"<script", b"http://ns.adobe.com"];

/// Returns the faults of a picture.
pub(super) fn faults(wanted: &Picture, bytes: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    let size = size_of_jpeg(bytes);
    if size != Some(wanted.size) {
        faults.push(format!("the size of the JPEG is {size:?}, not {:?}", wanted.size));
    }
    for secret in SECRETS {
        if bytes.windows(secret.len()).any(|window| window == secret) {
            faults.push(format!("the picture holds {:?}", String::from_utf8_lossy(secret)));
        }
    }
    faults
}

/// Returns the width and height of a JPEG; `None` if it is no JPEG.
fn size_of_jpeg(bytes: &[u8]) -> Option<[u16; 2]> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (segment, after) = rest.split_first_chunk::<4>()?;
        let [0xff, marker, high, low] = *segment else {
            return None;
        };
        if is_frame(marker) {
            // The first byte is the precision; the height comes before the width.
            let [_, height_high, height_low, width_high, width_low] = *after.first_chunk()?;
            let height = u16::from_be_bytes([height_high, height_low]);
            return Some([u16::from_be_bytes([width_high, width_low]), height]);
        }
        // The length of a segment counts its own two bytes.
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        rest = after.get(length..)?;
    }
}

/// Returns whether a segment starts a frame, which contains the size. Three markers in the range mean
/// something else.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[test]
fn size_of_jpeg_alone_is_read() {
    let file = super::case::file;
    assert_eq!(size_of_jpeg(&file("tiny.jpg")), Some([4, 3]));
    for other in ["tiny.png", "text.jpg", "empty.jpg"] {
        assert_eq!(size_of_jpeg(&file(other)), None, "{other}");
    }
    let faults = faults(&Picture { size: [1, 1] }, &file("exif.jpg"));
    assert!(faults.len() >= 2, "{faults:?}");
}
