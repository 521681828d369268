//! Small uploads that claim a large size or decompress to large data.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

/// Returns all bombs that must be refused, with their names.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "png: 1 bit, 65000 x 65000",
            include_bytes!("../files/bomb.png").to_vec(),
        ),
        (
            "png: 1 bit, 16000 x 16000, complete",
            include_bytes!("../files/bomb-full.png").to_vec(),
        ),
        ("png: huge header", png(0x7fff_ffff, 0x7fff_ffff, &[])),
        ("gif: huge screen", gif(u16::MAX, 1)),
        ("gif: huge frame on a small screen", gif(1, u16::MAX)),
        (
            "gif: huge screen without a frame",
            include_bytes!("../files/polyglot.gif").to_vec(),
        ),
        (
            "webp: huge canvas",
            webp(&[(b"VP8X", extended(0, 0x00ff_ffff)), (b"VP8 ", lossy(1))]),
        ),
        (
            "webp: huge frame on a small canvas",
            webp(&[(b"VP8X", extended(0, 0)), (b"VP8 ", lossy(0x3fff))]),
        ),
        (
            "webp: huge frame in an animation",
            animation(0, &[chunk(*b"VP8 ", &lossy(0x3fff))]),
        ),
        ("webp: huge lossy picture", webp(&[(b"VP8 ", lossy(0x3fff))])),
        (
            "webp: huge lossless picture",
            webp(&[(b"VP8L", vec![0x2f, 0xfe, 0xff, 0xff, 0x0f])]),
        ),
        ("webp: metadata of 4 GiB", endless_metadata()),
        ("jpeg: huge frame", jpeg(u16::MAX, &[])),
        (
            "jpeg: metadata in 60000 pieces",
            jpeg(1, &extended_xmp().repeat(60_000)),
        ),
    ]
}

/// Returns valid pictures of one pixel with further data that decompresses to a gigabyte.
pub(crate) fn harmless() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "png: a colour profile of 1 GiB",
            png(1, 1, &[(b"iCCP", profile())]),
        ),
        ("png: data of 1 GiB", png(1, 1, &[(b"IDAT", zeros())])),
    ]
}

fn png(width: u32, height: u32, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits, grey.
    header.extend([8, 0, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    png_chunk(&mut bytes, *b"IHDR", &header);
    for (kind, data) in chunks {
        png_chunk(&mut bytes, **kind, data);
    }
    png_chunk(&mut bytes, *b"IDAT", &compressed(2));
    png_chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

pub(crate) fn png_chunk(bytes: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let mut checksum = flate2::Crc::new();
    checksum.update(&kind);
    checksum.update(data);
    bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(kind);
    bytes.extend(data);
    bytes.extend(checksum.sum().to_be_bytes());
}

fn profile() -> Vec<u8> {
    [b"name\0\0".as_slice(), &zeros()].concat()
}

fn zeros() -> Vec<u8> {
    compressed(1 << 30)
}

/// Compresses zeros with zlib without processing all of them: the output of a flushed block can be repeated.
fn compressed(zeros: usize) -> Vec<u8> {
    let piece = zeros.min(1 << 20);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; piece]).unwrap();
    encoder.flush().unwrap();
    let checksum = u32::try_from(zeros % 65_521).unwrap() << 16 | 1;
    let pieces = encoder.get_ref().repeat(zeros / piece);
    [
        &[0x78, 0x01],
        pieces.as_slice(),
        &[0x03, 0x00],
        &checksum.to_be_bytes(),
    ]
    .concat()
}

fn gif(screen: u16, frame: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([screen.to_le_bytes(), screen.to_le_bytes()].concat());
    // A palette of two colours.
    bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    bytes.extend([0x2c, 0, 0, 0, 0]);
    bytes.extend([frame.to_le_bytes(), frame.to_le_bytes()].concat());
    bytes.extend([0, 2, 2, 0x44, 0x01, 0, 0x3b]);
    bytes
}

fn webp(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let chunks: Vec<_> = chunks
        .iter()
        .flat_map(|(kind, data)| chunk(**kind, data))
        .collect();
    riff(&chunks)
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    chunk(*b"RIFF", &[b"WEBP", chunks].concat())
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    let padding: &[u8] = if data.len() % 2 == 1 { &[0] } else { &[] };
    [kind.as_slice(), &length.to_le_bytes(), data, padding].concat()
}

fn extended(flags: u8, side_less_one: u32) -> Vec<u8> {
    let side = &side_less_one.to_le_bytes()[..3];
    [&[flags, 0, 0, 0], side, side].concat()
}

fn lossy(side: u16) -> Vec<u8> {
    // A key frame whose first partition consists of the zeros that follow.
    let mut data = vec![0x10, 0x08, 0x00, 0x9d, 0x01, 0x2a];
    data.extend([side.to_le_bytes(), side.to_le_bytes()].concat());
    data.extend([0; 256]);
    data
}

/// Builds an animated WebP whose frames, one chunk each, fill its square screen.
pub(crate) fn animation(side_less_one: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    const ANIMATED: u8 = 0x02;
    let side = &side_less_one.to_le_bytes()[..3];
    let header = [&[0; 6], side, side, &[0; 4]].concat();
    let mut chunks = vec![
        (b"VP8X", extended(ANIMATED, side_less_one)),
        (b"ANIM", vec![0; 6]),
    ];
    chunks.extend(
        frames
            .iter()
            .map(|frame| (b"ANMF", [header.clone(), frame.clone()].concat())),
    );
    webp(&chunks)
}

fn endless_metadata() -> Vec<u8> {
    const WITH_EXIF: u8 = 0x08;
    let mut chunks = [
        chunk(*b"VP8X", &extended(WITH_EXIF, 0)),
        chunk(*b"VP8 ", &lossy(1)),
    ]
    .concat();
    chunks.extend(b"EXIF\xff\xff\xff\xff");
    riff(&chunks)
}

/// Builds a grey JPEG with some segments of metadata. Its scan has a single block.
fn jpeg(side: u16, metadata: &[u8]) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(metadata);
    bytes.extend([0xff, 0xc0, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]);
    bytes.extend(jpeg_tables());
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x00, 0xff, 0xd9]);
    bytes
}

/// Segments without quantisation, and with codes of one bit for "no difference" and "end of block".
pub(crate) fn jpeg_tables() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    for table in [0x00, 0x10] {
        bytes.extend([0xff, 0xc4, 0, 20, table, 1]);
        bytes.extend([0; 16]);
    }
    bytes
}

fn extended_xmp() -> Vec<u8> {
    let mut segment = b"\xff\xe1\0\0http://ns.adobe.com/xmp/extension/\0".to_vec();
    segment.extend([b'0'; 32]);
    // This is one of 65536 bytes, and not the first.
    segment.extend([0, 1, 0, 0, 0, 0, 0, 1, b'x']);
    segment[3] = u8::try_from(segment.len() - 2).unwrap();
    segment
}
