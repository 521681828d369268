//! Which crate may depend on what. What a crate names is read from the manifests; what it gets in the end is
//! asked of `cargo tree`, which chooses features as a plain build of that crate does. (A resolution of the
//! whole workspace would not do: it joins in what only tests turn on.)

use std::{collections::BTreeSet, process::Command};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// The crates that know nothing of the world outside.
const INSIDE: [&str; 2] = ["mycars-domain", "mycars-application"];

/// The crates that are no adapters, though not inside: the one that joins all, the one that tests share, and the one
/// that measures. Every other one, however new, is an adapter, unless it is an example.
const NO_ADAPTERS: [&str; 3] = ["mycars-server", "mycars-testkit", BENCHMARK];

/// The benchmark. It holds a bare server of its own, which names what it needs.
const BENCHMARK: &str = "mycars-bench";

/// What each example uses of ours, and what its tests use besides: no more than what it is there to show.
const EXAMPLES: [(&str, &[&str], &[&str]); 3] = [
    ("car-import", &["mycars-domain"], &[]),
    (
        "memory-store",
        &["mycars-application", "mycars-domain"],
        &["mycars-application", "mycars-testkit"],
    ),
    (
        "unit-testing",
        &["mycars-application", "mycars-domain"],
        &["mycars-application"],
    ),
];

/// All that the domain may depend on, directly or not. What derives errors runs only while compiling.
const DOMAIN_DEPENDS_ON: [&str; 13] = [
    "caseless",
    "chrono",
    "num-traits",
    "proc-macro2",
    "quote",
    "syn",
    "thiserror",
    "thiserror-impl",
    "tinyvec",
    "tinyvec_macros",
    "unicode-general-category",
    "unicode-ident",
    "unicode-normalization",
];

fn workspace() -> Metadata {
    MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
}

/// What a crate names, in all kinds of dependencies or in one. A crate may name itself for its own tests.
fn named(package: &Package, kind: Option<DependencyKind>) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(move |dependency| kind.is_none_or(|kind| dependency.kind == kind))
        .map(|dependency| dependency.name.as_str())
        .filter(|name| *name != package.name.as_str())
}

/// The crates of the workspace that a crate's own code uses.
fn used_of_workspace(package: &Package) -> BTreeSet<&str> {
    of_workspace(package, DependencyKind::Normal)
}

/// The crates of the workspace that a crate names as one kind of dependencies.
fn of_workspace(package: &Package, kind: DependencyKind) -> BTreeSet<&str> {
    named(package, Some(kind))
        .filter(|name| name.starts_with("mycars-"))
        .collect()
}

fn is_example(workspace: &Metadata, package: &Package) -> bool {
    package
        .manifest_path
        .starts_with(workspace.workspace_root.join("examples"))
}

fn package<'m>(workspace: &'m Metadata, name: &str) -> &'m Package {
    workspace
        .packages
        .iter()
        .find(|package| package.name.as_str() == name)
        .unwrap_or_else(|| panic!("there is no crate {name}"))
}

/// The crates whose manifests name a dependency that begins so, in whatever kind.
fn who_names<'m>(workspace: &'m Metadata, prefixes: &[&str]) -> BTreeSet<&'m str> {
    let names_it = |package: &&Package| {
        named(package, None).any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    };
    workspace
        .packages
        .iter()
        .filter(names_it)
        .map(|package| package.name.as_str())
        .collect()
}

/// Everything that a crate gets, itself left out, by dependencies of these kinds.
fn tree(package: &str, kinds: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--package", package])
        .args(["--edges", kinds, "--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_domain_depends_on_nothing_of_ours_and_on_little_else() {
    let workspace = workspace();
    let domain = package(&workspace, "mycars-domain");
    assert!(!named(domain, None).any(|name| name.starts_with("mycars-")));
    let allowed: BTreeSet<String> = DOMAIN_DEPENDS_ON.map(str::to_owned).into();
    let more: Vec<_> = tree("mycars-domain", "normal")
        .difference(&allowed)
        .cloned()
        .collect();
    assert!(more.is_empty(), "the domain also depends on {more:?}");
}

#[test]
fn the_application_depends_on_the_domain_alone() {
    let workspace = workspace();
    let application = package(&workspace, "mycars-application");
    assert_eq!(used_of_workspace(application), ["mycars-domain"].into());
}

#[test]
fn nothing_of_ours_serialises_the_domain() {
    let workspace = workspace();
    let others = workspace
        .packages
        .iter()
        .filter(|package| package.name.as_str() != "mycars-domain");
    for package in others {
        let serialises = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.name == "mycars-domain")
            .any(|dependency| dependency.features.iter().any(|feature| feature == "serde"));
        assert!(!serialises, "{} turns the feature on", package.name);
    }
}

#[test]
fn the_inside_and_nothing_else_can_be_published() {
    let workspace = workspace();
    let can_be_published: BTreeSet<_> = workspace
        .packages
        .iter()
        .filter(|package| {
            package
                .publish
                .as_ref()
                .is_none_or(|registries| !registries.is_empty())
        })
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(can_be_published, INSIDE.into());
}

#[test]
fn adapters_depend_on_the_inside_and_never_on_each_other() {
    let workspace = workspace();
    let adapters: Vec<_> = workspace
        .packages
        .iter()
        .filter(|package| !INSIDE.contains(&package.name.as_str()))
        .filter(|package| !NO_ADAPTERS.contains(&package.name.as_str()))
        .filter(|package| !is_example(&workspace, package))
        .collect();
    assert!(adapters.len() >= 3, "adapters are missing");
    for adapter in &adapters {
        let used = used_of_workspace(adapter);
        assert!(
            used.is_subset(&INSIDE.into()),
            "{} depends on {used:?}",
            adapter.name
        );
        let is_other = |name: &&str| adapters.iter().any(|other| other.name.as_str() == *name);
        let other = named(adapter, None).find(is_other);
        assert_eq!(
            other, None,
            "{} needs another adapter for its tests",
            adapter.name
        );
    }
}

#[test]
fn an_example_uses_what_it_shows_and_nobody_uses_an_example() {
    let workspace = workspace();
    let examples: BTreeSet<&str> = workspace
        .packages
        .iter()
        .filter(|package| is_example(&workspace, package))
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(examples, EXAMPLES.map(|(name, _, _)| name).into());
    for (name, used, used_by_tests) in EXAMPLES {
        let example = package(&workspace, name);
        assert_eq!(
            used_of_workspace(example),
            used.iter().copied().collect(),
            "{name}"
        );
        let by_tests = of_workspace(example, DependencyKind::Development);
        assert_eq!(by_tests, used_by_tests.iter().copied().collect(), "{name}");
        assert!(of_workspace(example, DependencyKind::Build).is_empty(), "{name}");
    }
    for package in &workspace.packages {
        let used = named(package, None).find(|name| examples.contains(name));
        assert_eq!(used, None, "{} uses an example", package.name);
    }
}

#[test]
fn the_examples_and_their_tests_need_no_database_and_no_web_framework() {
    for (name, _, _) in EXAMPLES {
        let needed = tree(name, "normal,build,dev");
        assert!(needed.contains("mycars-domain"), "{needed:?}");
        for library in ["diesel", "libsqlite3-sys", "pq-sys", "actix-web", "tokio"] {
            assert!(!needed.contains(library), "{name} needs {library}");
        }
    }
}

#[test]
fn only_the_store_names_the_database_libraries() {
    let workspace = workspace();
    let libraries = ["diesel", "r2d2", "libsqlite3-sys", "pq-sys"];
    let allowed = BTreeSet::from(["mycars-persistence", "mycars-testkit", BENCHMARK]);
    let naming = who_names(&workspace, &libraries);
    assert!(naming.contains("mycars-persistence"));
    assert!(naming.is_subset(&allowed), "{naming:?}");
}

#[test]
fn only_the_door_and_the_wiring_name_the_web_framework() {
    let workspace = workspace();
    let naming = who_names(&workspace, &["actix"]);
    assert_eq!(naming, ["mycars-http", "mycars-server", BENCHMARK].into());
}

#[test]
fn the_testkit_is_for_tests_only() {
    let workspace = workspace();
    for package in &workspace.packages {
        for kind in [DependencyKind::Normal, DependencyKind::Build] {
            let used = named(package, Some(kind)).any(|name| name == "mycars-testkit");
            assert!(!used, "{} needs the testkit outside of its tests", package.name);
        }
    }
}

#[test]
fn nothing_depends_on_the_benchmark() {
    let workspace = workspace();
    package(&workspace, BENCHMARK);
    assert_eq!(who_names(&workspace, &[BENCHMARK]), BTreeSet::new());
}

#[test]
fn what_is_served_contains_nothing_that_is_for_tests() {
    let for_tests = ["mockall", "mycars-testkit", "proptest", "ureq"];
    let served = tree("mycars-server", "normal,build");
    assert!(served.contains("mycars-domain"), "{served:?}");
    let found: Vec<_> = for_tests.iter().filter(|name| served.contains(**name)).collect();
    assert!(found.is_empty(), "the binary contains {found:?}");
    // With the tests' own dependencies it is there: the name is right, and the tree can show it.
    assert!(tree("mycars-server", "normal,dev").contains("mockall"));
}
