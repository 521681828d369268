//! Archives that were changed on their way.

use std::io::Cursor;

use mycars_archive::{Archive, ArchiveError};
use zip::ZipArchive;

use crate::support::{open, origin, small_archive};

#[test]
fn archive_with_one_flipped_bit_is_refused() {
    let (_, whole) = small_archive();
    assert!(open(&whole).is_ok());
    // Each byte once: all members, their headers, the directory, and the seal.
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position % 8);
        let refused = open(&bytes).err();
        assert!(
            matches!(refused, Some(ArchiveError::Damaged(_))),
            "byte {position} of {}: {refused:?}",
            whole.len()
        );
    }
}

#[test]
fn archive_that_was_cut_or_extended_is_refused() {
    let (_, whole) = small_archive();
    for length in [0, 1, 70, 71, 72, whole.len() / 2, whole.len() - 1] {
        assert!(open(&whole[..length]).is_err(), "{length}");
    }
    assert!(open(&[&whole[..], b"\n"].concat()).is_err());
    assert!(open(&[b"\n", &whole[..]].concat()).is_err());
}

/// Each member can be checked with common tools, too.
#[test]
fn contents_have_the_hash_of_each_member() {
    let (_, bytes) = small_archive();
    let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let contents: serde_json::Value = serde_json::from_reader(zip.by_name("contents.json").unwrap()).unwrap();
    let hashes = contents["sha256"].as_object().unwrap();
    assert_eq!(hashes.len(), zip.len() - 1);
    let first = zip.by_index(0).unwrap().name().unwrap().into_owned();
    assert_eq!(first, "manifest.json");
}

#[test]
fn archive_of_newer_version_is_refused() {
    let (_, bytes) = small_archive();
    let older = &origin().migrations[..1];
    let refused = Archive::open(Cursor::new(&bytes), older).err();
    assert!(matches!(refused, Some(ArchiveError::Newer(_))), "{refused:?}");
}
