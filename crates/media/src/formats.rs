//! Recognises formats that are not supported, so that the error can name them, for example for a phone that sends
//! HEIC.

use mycars_domain::UnsupportedFormat;

/// First bytes that identify a format. BMP has only two of them and is checked by [`is_bitmap`].
const MAGIC: [(&[u8], UnsupportedFormat); 14] = [
    (b"\xff\x0a", UnsupportedFormat::JpegXl),
    (b"\0\0\0\x0cJXL \r\n\x87\n", UnsupportedFormat::JpegXl),
    (b"\0\0\0\x0cjP  \r\n\x87\n", UnsupportedFormat::Jpeg2000),
    (b"\xff\x4f\xff\x51", UnsupportedFormat::Jpeg2000),
    (b"II*\0", UnsupportedFormat::Tiff),
    (b"MM\0*", UnsupportedFormat::Tiff),
    (b"II+\0", UnsupportedFormat::Tiff),
    (b"MM\0+", UnsupportedFormat::Tiff),
    (b"\0\0\x01\0", UnsupportedFormat::Icon),
    (b"\0\0\x02\0", UnsupportedFormat::Icon),
    (b"8BPS", UnsupportedFormat::Photoshop),
    (b"%PDF-", UnsupportedFormat::Pdf),
    // Matroska and WebM.
    (b"\x1a\x45\xdf\xa3", UnsupportedFormat::Video),
    // MPEG program streams.
    (b"\0\0\x01\xba", UnsupportedFormat::Video),
];

/// Returns the format of a file if it is one of those that are recognised and not supported.
pub(crate) fn unsupported(bytes: &[u8]) -> Option<UnsupportedFormat> {
    let magic = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
    if let Some((_, format)) = magic {
        return Some(*format);
    }
    if is_bitmap(bytes) {
        return Some(UnsupportedFormat::Bmp);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        return Some(UnsupportedFormat::Video);
    }
    iso_media(bytes)
}

/// Tells whether a file is a Windows bitmap: text may begin with "BM" as well, but not go on like one.
fn is_bitmap(bytes: &[u8]) -> bool {
    const HEADER_LENGTHS: [u8; 7] = [12, 16, 40, 52, 56, 108, 124];
    let Some([b'B', b'M', .., header_length, 0, 0, 0]) = bytes.first_chunk::<18>() else {
        return false;
    };
    HEADER_LENGTHS.contains(header_length)
}

/// Returns the format of an ISO base media file, which lists its brands in a box `ftyp` at its beginning.
fn iso_media(bytes: &[u8]) -> Option<UnsupportedFormat> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let brands = rest.strip_prefix(b"ftyp")?;
    let brands = brands
        .get(..length.checked_sub(8)?)
        .unwrap_or(brands)
        .as_chunks()
        .0;
    let has = |known: &[&[u8; 4]]| brands.iter().any(|brand| known.contains(&brand));
    // An AVIF may name `mif1` as well, the general brand for images in such files.
    if has(&[b"avif", b"avis"]) {
        return Some(UnsupportedFormat::Avif);
    }
    if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2",
    ]) {
        return Some(UnsupportedFormat::Heic);
    }
    Some(UnsupportedFormat::Video)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let length = u32::try_from(12 + 4 * brands.len()).unwrap();
        let (major, compatible) = brands.split_first().unwrap();
        let compatible: Vec<u8> = compatible.iter().copied().flatten().copied().collect();
        [
            &length.to_be_bytes(),
            b"ftyp",
            major.as_slice(),
            &[0; 4],
            &compatible,
            b"\0\0\0\x08free",
        ]
        .concat()
    }

    fn bitmap(header_length: u8) -> Vec<u8> {
        [
            b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0",
            [header_length, 0, 0, 0].as_slice(),
            &[1; 36],
        ]
        .concat()
    }

    #[test]
    fn brands_distinguish_heic_avif_and_videos() {
        let cases: [(&[&[u8; 4]], UnsupportedFormat); 12] = [
            (&[b"heic", b"mif1", b"heic"], UnsupportedFormat::Heic),
            (&[b"heix", b"mif1"], UnsupportedFormat::Heic),
            (&[b"mif1", b"heic"], UnsupportedFormat::Heic),
            (&[b"mif1", b"MiHB"], UnsupportedFormat::Heic),
            (&[b"msf1", b"hevc"], UnsupportedFormat::Heic),
            (&[b"avif", b"mif1", b"miaf"], UnsupportedFormat::Avif),
            (&[b"mif1", b"avif"], UnsupportedFormat::Avif),
            (&[b"avis", b"msf1"], UnsupportedFormat::Avif),
            (&[b"qt  "], UnsupportedFormat::Video),
            (&[b"isom", b"iso2", b"avc1", b"mp41"], UnsupportedFormat::Video),
            (&[b"mp42", b"isom"], UnsupportedFormat::Video),
            (&[b"3gp4", b"isom"], UnsupportedFormat::Video),
        ];
        for (brands, expected) in cases {
            assert_eq!(unsupported(&ftyp(brands)), Some(expected), "{brands:?}");
        }
    }

    #[test]
    fn brands_after_the_box_are_ignored() {
        let video = [ftyp(&[b"qt  "]), b"heicavif".to_vec()].concat();
        assert_eq!(unsupported(&video), Some(UnsupportedFormat::Video));
    }

    #[test]
    fn first_bytes_identify_the_format() {
        let cases: [(&[u8], UnsupportedFormat); 12] = [
            (b"\xff\x0a\xfa\x1f", UnsupportedFormat::JpegXl),
            (b"\0\0\0\x0cJXL \r\n\x87\n", UnsupportedFormat::JpegXl),
            (b"\0\0\0\x0cjP  \r\n\x87\n", UnsupportedFormat::Jpeg2000),
            (b"II*\0\x08\0\0\0", UnsupportedFormat::Tiff),
            (b"MM\0*\0\0\0\x08", UnsupportedFormat::Tiff),
            (b"\0\0\x01\0\x01\0", UnsupportedFormat::Icon),
            (b"8BPS\0\x01", UnsupportedFormat::Photoshop),
            (b"%PDF-1.7\n", UnsupportedFormat::Pdf),
            (b"\x1a\x45\xdf\xa3\x9fB\x86", UnsupportedFormat::Video),
            (b"RIFF\xff\0\0\0AVI LIST", UnsupportedFormat::Video),
            (&bitmap(40), UnsupportedFormat::Bmp),
            (&bitmap(124), UnsupportedFormat::Bmp),
        ];
        for (bytes, expected) in cases {
            assert_eq!(unsupported(bytes), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn other_files_have_no_format() {
        for bytes in [
            b"".as_slice(),
            b"BM",
            b"BMW 320d, 2019, black, 120000 km",
            &bitmap(41),
            b"\xff\xd8\xff\xe0",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\xff\0\0\0WEBPVP8 ",
            b"RIFF\xff\0\0\0WAVEfmt ",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"\0\0\0",
            b"\0\0\0\0ftyp",
            b"\0\0\0\x18moov",
            b"This is not a picture.",
        ] {
            assert_eq!(unsupported(bytes), None, "{bytes:?}");
        }
    }
}
