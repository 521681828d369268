//! Dependencies that nothing uses: in the manifests of crates, and in that of the workspace.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::architecture::workspace;

#[test]
fn dependencies_of_crates_are_used() {
    let unused: Vec<String> = workspace().packages.iter().flat_map(unused_by).collect();
    assert!(unused.is_empty(), "{unused:#?}");
}

#[test]
fn dependencies_of_the_workspace_are_used() {
    let workspace = workspace();
    let used: BTreeSet<&str> = workspace
        .packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let manifest = fs::read_to_string(workspace.workspace_root.join("Cargo.toml")).unwrap();
    let (_, listed) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let listed = listed.lines().take_while(|line| !line.starts_with('['));
    let names: BTreeSet<&str> = listed
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|name| !name.starts_with('#'))
        .collect();
    assert!(names.contains("actix-web"), "{names:?}");
    let unused: Vec<_> = names.difference(&used).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn crate_is_named_by_its_paths_alone() {
    for code in [
        "serde_json::from_str(x)",
        "use serde_json;",
        "a(&::serde_json::x)",
        "#[serde_json::x]",
    ] {
        assert!(names_crate(code, "serde-json"), "{code}");
    }
    for code in [
        "// serde_json::x",
        "let serde_json = 1;",
        "other::serde_json::x",
        "my_serde_json::x",
        "serde_json_x::y",
    ] {
        assert!(!names_crate(code, "serde-json"), "{code}");
    }
}

/// The dependencies in the manifest of a crate that its code does not name, except those that the manifest lists as
/// linked for their features. A crate may name itself for its own tests.
fn unused_by(package: &Package) -> Vec<String> {
    let linked = &package.metadata["cargo-machete"]["ignored"];
    let linked = |dependency: &Dependency| {
        linked
            .as_array()
            .is_some_and(|names| names.iter().any(|name| *name == dependency.name))
    };
    let unused = package.dependencies.iter().filter(|dependency| {
        let code = code(package, dependency.kind);
        dependency.name != package.name.as_str()
            && !linked(dependency)
            && !names_crate(&code, &dependency.name)
    });
    unused
        .map(|dependency| format!("{} does not use {}", package.name, dependency.name))
        .collect()
}

/// The source code that a dependency of some kind is for. A crate without code of its own consists of tests.
fn code(package: &Package, kind: DependencyKind) -> String {
    let folder = package.manifest_path.as_std_path().with_file_name("");
    let parts: &[&str] = match kind {
        DependencyKind::Build => &["build.rs"],
        DependencyKind::Development => &["src", "tests", "benches", "examples"],
        _ if folder.join("src").is_dir() => &["src"],
        _ => &["tests"],
    };
    let files = parts.iter().flat_map(|part| rust_files(&folder.join(part)));
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flat_map(|entry| rust_files(&entry.unwrap().path()))
            .collect(),
        Err(_) if path.is_file() && path.extension() == Some("rs".as_ref()) => vec![path.to_owned()],
        Err(_) => Vec::new(),
    }
}

/// Returns whether code names a crate: in front of `::`, or in a `use`. Comments are ignored.
fn names_crate(code: &str, name: &str) -> bool {
    let name = name.replace('-', "_");
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| {
            line.match_indices(&name)
                .map(move |(start, name)| (line, start, name))
        })
        .any(|(line, start, name)| {
            let (before, after) = (&line[..start], &line[start + name.len()..]);
            let is_part = before.ends_with(|character: char| character.is_alphanumeric() || character == '_')
                || before
                    .strip_suffix("::")
                    .is_some_and(|path| path.ends_with(char::is_alphanumeric));
            let is_imported = before.ends_with("use ") && after.starts_with([';', ' ']);
            !is_part && (after.starts_with("::") || is_imported)
        })
}
