//! Whether bytes are the picture that was expected: a JPEG of a certain size that tells nothing else.

use super::case::Picture;

/// What no picture that is served may hold: where and with what it was taken, and what browsers run.
const SECRETS: [&[u8]; 4] = [b"Exif\0", b"GPS", b"<script", b"http://ns.adobe.com"];

/// What is wrong with a picture.
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

/// Width and height of a JPEG; `None` if it is none.
fn size_of_jpeg(bytes: &[u8]) -> Option<[u16; 2]> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (segment, after) = rest.split_first_chunk::<4>()?;
        let [0xff, marker, high, low] = *segment else {
            return None;
        };
        if is_frame(marker) {
            // One byte says how precise it is; height comes before width.
            let [_, height_high, height_low, width_high, width_low] = *after.first_chunk()?;
            let height = u16::from_be_bytes([height_high, height_low]);
            return Some([u16::from_be_bytes([width_high, width_low]), height]);
        }
        // The length of a segment counts its own two bytes.
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        rest = after.get(length..)?;
    }
}

/// Whether a segment begins a frame, which says the size. Three markers in between mean something else.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[test]
fn the_size_of_a_jpeg_is_read_and_that_of_anything_else_is_not() {
    let file = super::case::file;
    assert_eq!(size_of_jpeg(&file("tiny.jpg")), Some([4, 3]));
    for other in ["tiny.png", "text.jpg", "empty.jpg"] {
        assert_eq!(size_of_jpeg(&file(other)), None, "{other}");
    }
    let faults = faults(&Picture { size: [1, 1] }, &file("exif.jpg"));
    assert!(faults.len() >= 2, "{faults:?}");
}
