//! How each format wraps a picture, as far as its decoder is too trusting: decoders read on past the end of
//! what was cut off, and allocate what an inner frame asks for before they compare it with the picture's size.

use image::ImageFormat;

/// How many segments a JPEG may have. Honest ones have dozens, at most hundreds for a large colour profile;
/// the decoder's time grows with the square of some of them.
const MAX_JPEG_SEGMENTS: usize = 1000;

/// A width and a height.
type Size = (u32, u32);

/// What is known of a picture before its decoder sees it.
#[derive(Default)]
pub(crate) struct Container<'a> {
    /// The picture from its first to its last byte, without what follows it in the upload.
    pub(crate) bytes: &'a [u8],
    /// The sizes of the frames inside, where they can differ from the size of the picture.
    pub(crate) frames: Vec<Size>,
    /// The first EXIF metadata. Of several, the JPEG decoder would return the last, which may be the end of metadata
    /// that does not fit into one segment; and the PNG decoder sees none that follow the pixels.
    pub(crate) exif: Option<&'a [u8]>,
    /// The content of a PNG's first chunk `cICP`, which names its colour space.
    pub(crate) cicp: Option<[u8; 4]>,
}

impl<'a> Container<'a> {
    /// `None` if the end is missing, there is no picture inside, or the format is none that is taken.
    pub(crate) fn read(format: ImageFormat, bytes: &'a [u8]) -> Option<Self> {
        match format {
            ImageFormat::Jpeg => jpeg(bytes),
            ImageFormat::Png => png(bytes),
            ImageFormat::Gif => gif(bytes),
            ImageFormat::WebP => webp(bytes),
            _ => None,
        }
    }
}

/// A JPEG goes on until its end-of-image marker, which can be neither inside a segment nor, because of byte
/// stuffing, in the data of a scan. Without it, the decoder would paint what is missing grey.
fn jpeg(bytes: &[u8]) -> Option<Container<'_>> {
    const END_OF_IMAGE: u8 = 0xd9;
    const APP1: u8 = 0xe1;
    let mut rest = bytes.get(2..)?;
    let mut exif = None;
    for _ in 0..MAX_JPEG_SEGMENTS {
        let after_marker = rest.get(next_marker(rest)? + 2..)?;
        let consumed = bytes.len() - after_marker.len();
        let marker = bytes[consumed - 1];
        if marker == END_OF_IMAGE {
            return Some(Container {
                bytes: &bytes[..consumed],
                exif,
                ..Container::default()
            });
        }
        let length = u16::from_be_bytes(*after_marker.first_chunk()?);
        let segment;
        (segment, rest) = after_marker.split_at_checked(length.into())?;
        if marker == APP1 {
            exif = exif.or(segment
                .get(2..)
                .filter(|content| content.starts_with(b"Exif\0\0")));
        }
    }
    None
}

/// Where the next marker begins that is neither a stuffed byte, nor filling, nor a restart inside a scan.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7))
}

/// A PNG goes on until its chunk `IEND`.
fn png(bytes: &[u8]) -> Option<Container<'_>> {
    const SIGNATURE_LENGTH: usize = 8;
    const CHECKSUM_LENGTH: usize = 4;
    let mut rest = bytes.get(SIGNATURE_LENGTH..)?;
    let (mut exif, mut cicp) = (None, None);
    loop {
        let (length, after) = rest.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        let (data, after) = after.split_at_checked(to_usize(u32::from_be_bytes(*length)))?;
        rest = after.get(CHECKSUM_LENGTH..)?;
        match kind {
            b"eXIf" => exif = exif.or(Some(data)),
            b"cICP" => cicp = cicp.or(data.try_into().ok()),
            b"IEND" => {
                return Some(Container {
                    bytes: &bytes[..bytes.len() - rest.len()],
                    exif,
                    cicp,
                    ..Container::default()
                });
            }
            _ => {}
        }
    }
}

/// A GIF without a frame is no picture, however large the screen is that it asks for. Its decoder notices a
/// missing end.
fn gif(bytes: &[u8]) -> Option<Container<'_>> {
    let mut decoder = gif::Decoder::new(bytes).ok()?;
    let frame = decoder.next_frame_info().ok()??;
    Some(Container {
        bytes,
        frames: vec![(frame.width.into(), frame.height.into())],
        ..Container::default()
    })
}

/// A WebP says how long it is. The frames of an animation are chunks within its chunks.
fn webp(bytes: &[u8]) -> Option<Container<'_>> {
    const HEADER_LENGTH: usize = 8;
    const ANIMATION_FRAME_HEADER_LENGTH: usize = 16;
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let bytes = bytes.get(..to_usize(length).checked_add(HEADER_LENGTH)?)?;
    let (mut frames, mut exif) = (Vec::new(), None);
    for (kind, data) in riff_chunks(bytes.get(12..)?)? {
        if kind == b"EXIF" {
            exif = exif.or(Some(data));
        }
        if kind == b"ANMF" {
            for (kind, data) in riff_chunks(data.get(ANIMATION_FRAME_HEADER_LENGTH..)?)? {
                frames.extend(webp_frame(*kind, data)?);
            }
        }
        frames.extend(webp_frame(*kind, data)?);
    }
    Some(Container {
        bytes,
        frames,
        exif,
        ..Container::default()
    })
}

/// The chunks of a RIFF file, or `None` if one of them reaches beyond what holds it: the decoder would
/// allocate whatever it claims to be long.
fn riff_chunks(mut rest: &[u8]) -> Option<Vec<(&[u8; 4], &[u8])>> {
    let mut chunks = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let (kind, length) = header.split_first_chunk()?;
        let length = to_usize(u32::from_le_bytes(*length.first_chunk()?));
        let (data, after) = after.split_at_checked(length)?;
        chunks.push((kind, data));
        // Chunks begin at even positions; some writers leave out the last one's padding.
        rest = after.get(length % 2..).unwrap_or_default();
    }
    Some(chunks)
}

/// The size of the frame in a WebP chunk if it holds one, or `None` if it is too short for that.
fn webp_frame(kind: [u8; 4], data: &[u8]) -> Option<Option<Size>> {
    let size = match &kind {
        b"VP8 " => {
            let [width, more_width, height, more_height] = *data.get(6..)?.first_chunk()?;
            let fourteen_bits = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
            Some((
                fourteen_bits([width, more_width]),
                fourteen_bits([height, more_height]),
            ))
        }
        b"VP8L" => {
            let header = u32::from_le_bytes(*data.get(1..)?.first_chunk()?);
            Some(((header & 0x3fff) + 1, (header >> 14 & 0x3fff) + 1))
        }
        _ => None,
    };
    Some(size)
}

/// A length that a file claims. Where it doesn't fit, it is longer than any slice anyway.
fn to_usize(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
