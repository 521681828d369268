//! Files that were made to do harm: their seal is right, and the rest is not.

use std::io::{Cursor, Read as _, Write as _};

use mycars_archive::ArchiveError;
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::support::{open, small_archive, with_writer};

const SEAL: usize = "sha256:".len() + 64;

/// How a member is changed.
enum Change {
    Keep,
    Drop,
    Content(Vec<u8>),
    Rename(&'static str),
    Link,
    Compress,
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(digit)
        .collect()
}

fn digit(number: u8) -> char {
    char::from_digit(number.into(), 16).unwrap()
}

/// Writes an archive again with changed members, right hashes and a right seal.
fn rewritten(bytes: &[u8], change: impl Fn(&str) -> Change) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    let mut hashes = serde_json::Map::new();
    for index in 0..old.len() {
        let mut member = old.by_index(index).unwrap();
        let mut name = member.name().unwrap().into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        let mut options = SimpleFileOptions::default().compression_method(member.compression());
        let mut is_link = false;
        match change(&name) {
            Change::Keep => {}
            Change::Drop => continue,
            Change::Content(other) => content = other,
            Change::Rename(other) => other.clone_into(&mut name),
            Change::Link => is_link = true,
            Change::Compress => options = options.compression_method(CompressionMethod::Deflated),
        }
        if name == "contents.json" {
            let mut contents: serde_json::Value = serde_json::from_slice(&content).unwrap();
            contents["sha256"] = std::mem::take(&mut hashes).into();
            content = contents.to_string().into_bytes();
        }
        hashes.insert(name.clone(), hex(&Sha256::digest(&content)).into());
        if is_link {
            new.add_symlink(name, "/etc/passwd", options).unwrap();
        } else {
            new.start_file(name, options).unwrap();
            new.write_all(&content).unwrap();
        }
    }
    new.set_raw_comment(Box::new([b' '; SEAL])).unwrap();
    let mut bytes = new.finish().unwrap().into_inner();
    let sealed = bytes.len() - SEAL;
    let seal = format!("sha256:{}", hex(&Sha256::digest(&bytes[..sealed])));
    bytes.splice(sealed.., seal.into_bytes());
    bytes
}

/// Changes the member with this name.
fn changed(name: &'static str, change: fn() -> Change) -> Result<(), ArchiveError> {
    let (_, bytes) = small_archive();
    let bytes = rewritten(
        &bytes,
        |member| if member == name { change() } else { Change::Keep },
    );
    open(&bytes).map(drop)
}

fn assert_damaged(name: &'static str, change: fn() -> Change, problem: &str) {
    match changed(name, change) {
        Err(ArchiveError::Damaged(found)) if found.contains(problem) => {}
        other => panic!("{name}: {other:?} instead of {problem}"),
    }
}

#[test]
fn unchanged_archive_is_accepted() {
    changed("", || Change::Keep).unwrap();
}

#[test]
fn paths_outside_of_the_folder_are_refused() {
    assert_damaged(
        "media/cars/one.jpg",
        || Change::Rename("../one.jpg"),
        "../one.jpg",
    );
    assert_damaged(
        "media/cars/one.jpg",
        || Change::Rename("media/../../one.jpg"),
        "one.jpg",
    );
    assert_damaged(
        "media/cars/one.jpg",
        || Change::Rename("/etc/passwd"),
        "/etc/passwd",
    );
}

#[test]
fn links_are_refused() {
    assert_damaged("media/cars/one.jpg", || Change::Link, "not a plain file");
    assert_damaged("tables/users.jsonl", || Change::Link, "not a plain file");
    assert_damaged("manifest.json", || Change::Link, "not a plain file");
}

#[test]
fn compressed_pictures_are_refused() {
    assert_damaged("media/cars/one.jpg", || Change::Compress, "not a plain file");
}

/// Ten gigabytes of zeros need ten megabytes. They are refused after the first megabytes, without being stored.
#[test]
fn endless_row_is_refused() {
    fn zeros() -> Change {
        Change::Content(vec![b' '; (16 << 20) + 1])
    }
    assert_damaged("tables/cars.jsonl", zeros, "too long");
    assert_damaged("manifest.json", zeros, "more than");
}

#[test]
fn missing_members_are_refused() {
    for name in ["manifest.json", "contents.json", "tables/cars.jsonl"] {
        assert!(changed(name, || Change::Drop).is_err(), "{name}");
    }
    assert_damaged("media/cars/two.jpg", || Change::Drop, "members are missing");
}

#[test]
fn unknown_tables_columns_and_values_are_refused() {
    assert_damaged(
        "tables/cars.jsonl",
        || Change::Rename("tables/boats.jsonl"),
        "boats",
    );
    assert_damaged(
        "tables/users.jsonl",
        || Change::Content(b"{\"id\":1}\n".to_vec()),
        "missing field",
    );
    assert_damaged(
        "tables/installation.jsonl",
        || Change::Content(b"{\"id\":\"a\",\"created_at\":\"2026-11-26T00:00:00Z\",\"wheels\":4}\n".to_vec()),
        "wheels",
    );
    assert_damaged(
        "tables/installation.jsonl",
        || Change::Content(vec![]),
        "stated number of rows",
    );
    assert_damaged(
        "tables/sessions.jsonl",
        || Change::Content(b"{}".to_vec()),
        "cut off",
    );
}

#[test]
fn newer_format_is_refused() {
    let refused = changed("manifest.json", || {
        Change::Content(b"{\"format\":2,\"more\":true}".to_vec())
    });
    assert!(matches!(refused, Err(ArchiveError::Newer(_))), "{refused:?}");
}

#[test]
fn unfinished_archive_is_refused() {
    let bytes = with_writer(|writer| {
        writer
            .add_image(
                &mycars_domain::values::ImagePath::from_storage("cars/one.jpg".into()),
                &mut &b"one"[..],
            )
            .unwrap();
    });
    assert!(matches!(open(&bytes), Err(ArchiveError::Damaged(_))));
}
