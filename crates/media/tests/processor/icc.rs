//! Small ICC profiles, written by hand so that the tests do not depend on the library that reads them.

/// Colorants of Display P3, the colour space of phones, relative to D50.
pub(crate) const DISPLAY_P3: [[f64; 3]; 3] = [
    [0.51512, 0.2412, -0.00105],
    [0.29198, 0.69225, 0.04189],
    [0.1571, 0.06657, 0.78407],
];
pub(crate) const ADOBE_RGB: [[f64; 3]; 3] = [
    [0.60974, 0.31111, 0.01947],
    [0.20528, 0.62567, 0.06087],
    [0.14919, 0.06322, 0.74457],
];
pub(crate) const PROPHOTO: [[f64; 3]; 3] = [
    [0.79767, 0.28804, 0.0],
    [0.13519, 0.71187, 0.0],
    [0.03134, 0.00009, 0.82491],
];
pub(crate) const SRGB: [[f64; 3]; 3] = [
    [0.43607, 0.22249, 0.01392],
    [0.38515, 0.71687, 0.09708],
    [0.14307, 0.06061, 0.7141],
];

/// The transfer function of sRGB and Display P3, as a parametric curve.
pub(crate) fn srgb_curve() -> Vec<u8> {
    let parameters = [2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045];
    [b"para\0\0\0\0\0\x03\0\0".to_vec(), fixed(&parameters)].concat()
}

pub(crate) fn gamma(exponent: u16) -> Vec<u8> {
    [b"curv\0\0\0\0\0\0\0\x01".as_slice(), &exponent.to_be_bytes()].concat()
}

pub(crate) const GAMMA_1_0: u16 = 0x0100;
pub(crate) const GAMMA_1_8: u16 = 0x01cd;
pub(crate) const GAMMA_2_2: u16 = 0x0233;

/// Builds a profile with three colorants and the same curve for each of them.
pub(crate) fn matrix([red, green, blue]: [[f64; 3]; 3], curve: &[u8]) -> Vec<u8> {
    profile(
        *b"RGB ",
        *b"XYZ ",
        &[
            (b"rXYZ", xyz(red)),
            (b"gXYZ", xyz(green)),
            (b"bXYZ", xyz(blue)),
            (b"rTRC", curve.to_vec()),
            (b"gTRC", curve.to_vec()),
            (b"bTRC", curve.to_vec()),
        ],
    )
}

pub(crate) fn gray(exponent: u16) -> Vec<u8> {
    profile(*b"GRAY", *b"XYZ ", &[(b"kTRC", gamma(exponent))])
}

/// Builds a profile with a table of colours instead of colorants, like those of scanners and printers.
pub(crate) fn table(tag: [u8; 4]) -> Vec<u8> {
    profile(*b"RGB ", *b"Lab ", &[(&tag, lut())])
}

/// Builds a table with two points in each dimension, between which CIELAB is linear.
pub(crate) fn lut() -> Vec<u8> {
    let identity = fixed(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    let mut bytes = [
        b"mft2\0\0\0\0\x03\x03\x02\0".as_slice(),
        &identity,
        b"\0\x02\0\x02",
    ]
    .concat();
    let straight = [0, 0, 0xff, 0xff].repeat(3);
    bytes.extend(&straight);
    for corner in 0..8 {
        let [red, green, blue] = [4, 2, 1].map(|bit| i32::from(corner & bit != 0));
        let lightness = (30 * red + 60 * green + 10 * blue) * 0xff00 / 100;
        let a = (40 * (red - green) + 128) * 256;
        let b = (40 * (green - blue) + 128) * 256;
        for value in [lightness, a, b] {
            bytes.extend(u16::try_from(value).unwrap().to_be_bytes());
        }
    }
    bytes.extend(&straight);
    bytes
}

/// Builds a profile of version 2.
pub(crate) fn profile(space: [u8; 4], connection: [u8; 4], tags: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut header = vec![0; 128];
    header[8..10].copy_from_slice(&[2, 0x10]);
    header[12..16].copy_from_slice(b"mntr");
    header[16..20].copy_from_slice(&space);
    header[20..24].copy_from_slice(&connection);
    header[24..30].copy_from_slice(&[0x07, 0xe8, 0, 1, 0, 1]);
    header[36..40].copy_from_slice(b"acsp");
    header[68..80].copy_from_slice(&fixed(&[0.9642, 1.0, 0.8249]));
    header.extend(be(tags.len()));
    let (mut table, mut data) = (header, Vec::new());
    let first = table.len() + 12 * tags.len();
    for (signature, content) in tags {
        table.extend(*signature);
        table.extend([be(first + data.len()), be(content.len())].concat());
        data.extend(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut profile = [table, data].concat();
    let length = be(profile.len());
    profile[..4].copy_from_slice(&length);
    profile
}

fn xyz(colorant: [f64; 3]) -> Vec<u8> {
    [b"XYZ \0\0\0\0".to_vec(), fixed(&colorant)].concat()
}

/// Encodes numbers with 16 bits before and after the point.
fn fixed(numbers: &[f64]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    let fixed = |number: &f64| ((number * 65_536.0).round() as i32).to_be_bytes();
    numbers.iter().flat_map(fixed).collect()
}

pub(crate) fn be(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}
