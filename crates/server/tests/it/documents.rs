//! Checks of the documents: links have targets, and quoted code and errors are those of the program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn links_in_documents_have_targets() {
    let documents = markdown();
    let broken: Vec<String> = documents
        .iter()
        .flat_map(|path| links(&prose(path)).into_iter().map(move |link| (path, link)))
        .filter(|(path, link)| !has_target(path, link))
        .map(|(path, link)| format!("{}: {link}", path.strip_prefix(ROOT).unwrap().display()))
        .collect();
    assert!(
        documents.len() >= 10,
        "only {} documents were found",
        documents.len()
    );
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn documents_are_linked_from_index_of_folder() {
    for folder in ["docs", "docs/decisions"] {
        let index = Path::new(ROOT).join(folder).join("README.md");
        let listed: BTreeSet<PathBuf> = links(&prose(&index))
            .iter()
            .filter_map(|link| target(&index, link).canonicalize().ok())
            .collect();
        let unlisted: Vec<_> = files(&Path::new(ROOT).join(folder), 1, "md")
            .into_iter()
            .filter(|path| *path != index && !listed.contains(&path.canonicalize().unwrap()))
            .collect();
        assert!(
            unlisted.is_empty(),
            "{folder}/README.md does not name {unlisted:?}"
        );
    }
}

#[test]
fn changelog_has_a_section_of_the_version() {
    let changelog = fs::read_to_string(format!("{ROOT}/CHANGELOG.md")).unwrap();
    let heading = concat!("\n## [", env!("CARGO_PKG_VERSION"), "] - ");
    assert!(changelog.contains(heading), "{heading}");
}

#[test]
fn released_migrations_are_unchanged() {
    let released = fs::read_to_string(format!("{ROOT}/migrations/released")).unwrap();
    let lines: Vec<&str> = released.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let [version, last, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut hash = Sha256::new();
        for folder in ["postgres", "sqlite"] {
            let folder = fs::read_dir(format!("{ROOT}/migrations/{folder}")).unwrap();
            let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths
                .iter()
                .filter(|path| path.file_name().unwrap().to_str() <= Some(last))
            {
                hash.update(fs::read(path.join("up.sql")).unwrap());
            }
        }
        let hash = HEXLOWER.encode(&hash.finalize());
        assert_eq!(
            hash, expected,
            "a migration of {version} was changed: add a new one instead"
        );
    }
}

#[test]
fn code_quoted_in_guides_is_current() {
    for guide in ["testing.md", "adding-an-endpoint.md", "adding-an-adapter.md"] {
        let quotes = quotes(guide);
        assert!(!quotes.is_empty(), "{guide}");
        for (before, quote) in quotes {
            let is_source = |name: &&str| Path::new(name).extension().is_some_and(|found| found == "rs");
            let file = before.split('`').find(is_source);
            let file = file.unwrap_or_else(|| panic!("{guide} should name a file: {before}"));
            let source = fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
            assert!(
                without_indentation(&source).contains(&without_indentation(&quote)),
                "{guide}: {file} does not contain:\n{quote}"
            );
        }
    }
}

#[test]
fn errors_of_openapi_document_are_in_errors_md() {
    let document = fs::read_to_string(format!("{ROOT}/docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let listed = blocks("errors.md", "json");
    let listed: Vec<Value> = listed
        .iter()
        .flat_map(|block| block.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let faults = document["components"]["responses"].as_object().unwrap().values();
    let examples: Vec<&Value> = faults
        .flat_map(|fault| {
            fault["content"]["application/json"]["examples"]
                .as_object()
                .unwrap()
                .values()
        })
        .map(|example| &example["value"])
        .filter(|body| !body["detail"].is_null() || !body["non_field_errors"].is_null())
        .collect();
    assert!(examples.len() > 20, "only {} were found", examples.len());
    for body in examples {
        assert!(listed.contains(body), "docs/errors.md does not have {body}");
    }
}

/// Returns the blocks of Rust in a document, each with the line of text before it.
fn quotes(document: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("{ROOT}/docs/{document}")).unwrap();
    let before = text
        .split("\n```rust\n")
        .map(|text| text.trim_end().lines().last());
    let before: Vec<String> = before.map(|line| line.unwrap_or_default().to_owned()).collect();
    before.into_iter().zip(blocks(document, "rust")).collect()
}

/// Returns the code blocks of this language in a document.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{ROOT}/docs/{document}")).unwrap();
    text.split(&format!("\n```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .map(str::to_owned)
        .collect()
}

/// Returns all documents of the repository.
fn markdown() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    let below = ["docs", "crates", "examples"].map(|folder| files(&root.join(folder), usize::MAX, "md"));
    let mut all = files(root, 1, "md");
    all.extend(below.into_iter().flatten());
    all
}

/// Returns the files with this extension in a folder, down to this depth. A missing folder has none, and
/// build output and installed packages are skipped.
fn files(folder: &Path, depth: usize, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_made = |path: &Path| path.ends_with("target") || path.ends_with("node_modules");
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true if depth > 1 && !is_made(&path) => files(&path, depth - 1, extension),
            true => Vec::new(),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// Returns a document without its code.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("\n```").step_by(2);
    let spans = blocks.flat_map(|block| block.split('`').step_by(2));
    spans.collect::<Vec<_>>().join("` `")
}

/// Returns the targets of the links and pictures in a text, without other sites.
fn links(prose: &str) -> Vec<String> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// Returns the file of a link; the document itself if the link has only an anchor.
fn target(document: &Path, link: &str) -> PathBuf {
    match link.split('#').next() {
        None | Some("") => document.to_owned(),
        Some(file) => document.with_file_name(file),
    }
}

fn has_target(document: &Path, link: &str) -> bool {
    let target = target(document, link);
    match link.split_once('#') {
        Some((_, anchor)) => target.is_file() && anchors(&target).contains(anchor),
        None => target.exists(),
    }
}

/// Returns the anchors of a document's headings, as GitHub generates them.
fn anchors(document: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("\n```").step_by(2);
    let headings = blocks.flat_map(str::lines).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        heading.strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    headings.map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn without_indentation(code: &str) -> String {
    let lines = code.lines().map(str::trim_start);
    lines.collect::<Vec<_>>().join("\n")
}
