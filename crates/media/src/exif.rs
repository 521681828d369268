//! The orientation of a photo in its EXIF metadata, which has the structure of a TIFF file.

use image::metadata::Orientation;

/// The tag of the orientation in the first directory.
const ORIENTATION: u16 = 0x0112;
/// Length of a directory entry in bytes: tag, type, count and value.
const ENTRY_LENGTH: usize = 12;

/// Returns the orientation, if there is a valid one.
///
/// By the standard, it is a SHORT. Some programs write LONG or BYTE, which Pillow and libexif read as well.
pub(crate) fn orientation(exif: &[u8]) -> Option<Orientation> {
    let tiff = Tiff::new(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))?;
    let directory = usize::try_from(tiff.long(4)?).ok()?;
    let entries = directory.checked_add(2)?;
    (0..usize::from(tiff.short(directory)?))
        .map_while(|index| entries.checked_add(index * ENTRY_LENGTH))
        .find_map(|entry| tiff.orientation(entry))
}

/// The bytes of a TIFF file and their byte order.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = match bytes.first_chunk()? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        Some(Self {
            bytes,
            is_little_endian,
        })
    }

    /// Returns the orientation in the entry at an offset, if the entry holds a single valid one.
    fn orientation(&self, entry: usize) -> Option<Orientation> {
        const BYTE: u16 = 1;
        const SHORT: u16 = 3;
        const LONG: u16 = 4;
        if (self.short(entry)?, self.long(entry + 4)?) != (ORIENTATION, 1) {
            return None;
        }
        let value = entry + 8;
        let value = match self.short(entry + 2)? {
            BYTE => u32::from(*self.bytes.get(value)?),
            SHORT => u32::from(self.short(value)?),
            LONG => self.long(value)?,
            _ => return None,
        };
        Orientation::from_exif(u8::try_from(value).ok()?)
    }

    fn short(&self, offset: usize) -> Option<u16> {
        let bytes = *self.bytes.get(offset..)?.first_chunk()?;
        Some(if self.is_little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn long(&self, offset: usize) -> Option<u32> {
        let bytes = *self.bytes.get(offset..)?.first_chunk()?;
        Some(if self.is_little_endian {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTE: u16 = 1;
    const SHORT: u16 = 3;
    const LONG: u16 = 4;

    /// Writes numbers in a byte order.
    struct Writer {
        bytes: Vec<u8>,
        is_little_endian: bool,
    }

    impl Writer {
        fn new(is_little_endian: bool) -> Self {
            let bytes = if is_little_endian { b"II" } else { b"MM" }.to_vec();
            let mut writer = Self {
                bytes,
                is_little_endian,
            };
            writer.short(42);
            writer
        }

        fn short(&mut self, number: u16) {
            let little = number.to_le_bytes();
            let big = number.to_be_bytes();
            self.bytes
                .extend(if self.is_little_endian { little } else { big });
        }

        fn long(&mut self, number: u32) {
            let little = number.to_le_bytes();
            let big = number.to_be_bytes();
            self.bytes
                .extend(if self.is_little_endian { little } else { big });
        }

        /// Writes an entry with one or two values, at the start of the four bytes of its value.
        fn entry(&mut self, tag: u16, kind: u16, count: u32, value: u16) {
            self.short(tag);
            self.short(kind);
            self.long(count);
            match kind {
                BYTE => self.bytes.extend([value.to_le_bytes()[0], 0, 0, 0]),
                SHORT => {
                    self.short(value);
                    self.short(0);
                }
                _ => self.long(value.into()),
            }
        }
    }

    fn exif(is_little_endian: bool, kind: u16, count: u32, value: u16) -> Vec<u8> {
        let mut writer = Writer::new(is_little_endian);
        writer.long(8);
        writer.short(2);
        writer.entry(0x0110, SHORT, 1, 3);
        writer.entry(ORIENTATION, kind, count, value);
        writer.long(0);
        writer.bytes
    }

    #[test]
    fn byte_short_and_long_are_read_in_both_byte_orders() {
        for is_little_endian in [true, false] {
            for kind in [BYTE, SHORT, LONG] {
                for value in 1..=8 {
                    let exif = exif(is_little_endian, kind, 1, value);
                    let expected = Orientation::from_exif(u8::try_from(value).unwrap());
                    assert_eq!(orientation(&exif), expected, "{is_little_endian} {kind} {value}");
                    let prefixed = [b"Exif\0\0".as_slice(), &exif].concat();
                    assert_eq!(orientation(&prefixed), expected, "with prefix");
                }
            }
        }
    }

    #[test]
    fn invalid_orientation_is_ignored() {
        for (kind, count, value) in [
            (SHORT, 1, 0),
            (SHORT, 1, 9),
            (SHORT, 1, 256 + 6),
            (LONG, 1, u16::MAX),
            (SHORT, 0, 6),
            (SHORT, 2, 6),
            (SHORT, u32::MAX, 6),
            (0, 1, 6),
            (2, 1, 6),
            (5, 1, 6),
            (u16::MAX, 1, 6),
        ] {
            for is_little_endian in [true, false] {
                let exif = exif(is_little_endian, kind, count, value);
                assert_eq!(orientation(&exif), None, "{kind} {count} {value}");
            }
        }
    }

    #[test]
    fn invalid_orientation_does_not_hide_a_valid_one() {
        let mut writer = Writer::new(true);
        writer.long(8);
        writer.short(2);
        writer.entry(ORIENTATION, SHORT, 1, 99);
        writer.entry(ORIENTATION, SHORT, 1, 6);
        assert_eq!(orientation(&writer.bytes), Some(Orientation::Rotate90));
    }

    #[test]
    fn directory_at_any_offset_is_read() {
        for padding in [0, 1, 2, 1000, 70_000] {
            let mut writer = Writer::new(false);
            writer.long(8 + padding);
            writer.bytes.extend(vec![0xff; padding as usize]);
            writer.short(1);
            writer.entry(ORIENTATION, LONG, 1, 6);
            assert_eq!(
                orientation(&writer.bytes),
                Some(Orientation::Rotate90),
                "{padding}"
            );
        }
        for outside in [100, 0x7fff_ffff, u32::MAX] {
            let mut writer = Writer::new(false);
            writer.long(outside);
            assert_eq!(orientation(&writer.bytes), None, "{outside}");
        }
    }

    #[test]
    fn directory_with_too_large_count_is_read_to_its_end() {
        let mut writer = Writer::new(true);
        writer.long(8);
        writer.short(u16::MAX);
        writer.entry(ORIENTATION, SHORT, 1, 6);
        assert_eq!(orientation(&writer.bytes), Some(Orientation::Rotate90));
    }

    #[test]
    fn truncated_metadata_has_no_orientation() {
        let exif = exif(true, SHORT, 1, 6);
        let end_of_value = exif.len() - 6;
        for length in 0..end_of_value {
            assert_eq!(orientation(&exif[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_cause_no_panic(
            order in prop::sample::select(vec![b"II".as_slice(), b"MM", b"Exif\0\0II", b""]),
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            orientation(&[order, &rest].concat());
        }
    }
}
