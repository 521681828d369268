//! Checks of the file formats that the decoders lack: decoders read on past the end of a truncated file, and allocate
//! the claimed size of an inner frame before they compare it with the size of the picture.

use image::ImageFormat;

/// Maximum number of segments of a JPEG. Ordinary files have dozens, at most hundreds for a large colour profile; the
/// decoder's time grows with the square of some of them.
const MAX_JPEG_SEGMENTS: usize = 1000;

/// A width and a height.
type Size = (u32, u32);

/// Properties of a picture that are read before decoding.
#[derive(Default)]
pub(crate) struct Container<'a> {
    /// The bytes of the picture from its first to its last, without data that follows in the upload.
    pub(crate) bytes: &'a [u8],
    /// The sizes of inner frames, if they can differ from the size of the picture.
    pub(crate) frames: Vec<Size>,
    /// The first EXIF metadata. The JPEG decoder would return the last, which may be the end of metadata that does
    /// not fit into one segment. The PNG decoder ignores metadata that follows the pixels.
    pub(crate) exif: Option<&'a [u8]>,
    /// The content of a PNG's first chunk `cICP`, which names its colour space.
    pub(crate) cicp: Option<[u8; 4]>,
}

impl<'a> Container<'a> {
    /// Parses a file. Returns `None` if the end is missing, there is no picture inside, or the format is not
    /// supported.
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

/// Parses a JPEG, which ends at its end-of-image marker. Because of byte stuffing, the marker cannot occur in a
/// segment or in the data of a scan. Without the marker, the decoder would fill the missing part with grey.
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

/// Returns the position of the next marker that is neither a stuffed byte, nor a fill byte, nor a restart inside a
/// scan.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7))
}

/// Parses a PNG, which ends with its chunk `IEND`.
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

/// Parses a GIF, which needs at least one frame, however large its screen is. Its decoder detects a missing end.
fn gif(bytes: &[u8]) -> Option<Container<'_>> {
    let mut decoder = gif::Decoder::new(bytes).ok()?;
    let frame = decoder.next_frame_info().ok()??;
    Some(Container {
        bytes,
        frames: vec![(frame.width.into(), frame.height.into())],
        ..Container::default()
    })
}

/// Parses a WebP, which states its length. The frames of an animation are chunks within its chunks.
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

/// Returns the chunks of a RIFF file, or `None` if one of them ends beyond its container: the decoder would allocate
/// the claimed length.
fn riff_chunks(mut rest: &[u8]) -> Option<Vec<(&[u8; 4], &[u8])>> {
    let mut chunks = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let (kind, length) = header.split_first_chunk()?;
        let length = to_usize(u32::from_le_bytes(*length.first_chunk()?));
        let (data, after) = after.split_at_checked(length)?;
        chunks.push((kind, data));
        // Chunks begin at even positions; some writers omit the padding of the last one.
        rest = after.get(length % 2..).unwrap_or_default();
    }
    Some(chunks)
}

/// Returns the size of the frame in a WebP chunk if it holds one, or `None` if the chunk is too short.
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

/// Converts a length from a file. A length that does not fit is longer than any slice anyway.
fn to_usize(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
