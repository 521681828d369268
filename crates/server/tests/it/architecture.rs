//! The allowed dependencies between crates. Direct dependencies are read from the manifests; all dependencies
//! come from `cargo tree`, which selects features like a plain build of the crate. (A resolution of the whole
//! workspace would add the features of tests.)

use std::{collections::BTreeSet, process::Command};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// The crates without I/O, which define rules and use-cases.
const INSIDE: [&str; 2] = ["mycars-domain", "mycars-application"];

/// The crates outside the core that are not adapters: the server, the tests' shared crate, the tests in a browser and
/// the benchmark. All others, also new ones, are adapters, unless they are examples.
const NO_ADAPTERS: [&str; 4] = ["mycars-server", "mycars-testkit", BROWSER_TESTS, BENCHMARK];

/// The tests in a browser. Their dependencies are optional, so they cannot be dev-dependencies.
const BROWSER_TESTS: &str = "mycars-browser-tests";

/// The benchmark. It contains a bare server of its own, which names the dependencies that it needs.
const BENCHMARK: &str = "mycars-bench";

/// The workspace crates that each example uses, and those that its tests use in addition.
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

/// The crates that the domain may depend on, directly or not. Derive macros for errors run only at compile
/// time.
const DOMAIN_DEPENDS_ON: [&str; 15] = [
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
    "unicode-script",
    "unicode-security",
];

pub(crate) fn workspace() -> Metadata {
    MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
}

/// Returns the dependencies in the manifest of a crate, of all kinds or of one. A crate may name itself for
/// its own tests.
fn named(package: &Package, kind: Option<DependencyKind>) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(move |dependency| kind.is_none_or(|kind| dependency.kind == kind))
        .map(|dependency| dependency.name.as_str())
        .filter(|name| *name != package.name.as_str())
}

/// Returns the workspace crates that the code of a crate uses.
fn used_of_workspace(package: &Package) -> BTreeSet<&str> {
    of_workspace(package, DependencyKind::Normal)
}

/// Returns the workspace crates that the manifest of a crate names as one kind of dependencies.
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

/// Returns the crates whose manifests name a dependency with this prefix, of any kind.
fn crates_that_name<'m>(workspace: &'m Metadata, prefixes: &[&str]) -> BTreeSet<&'m str> {
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

/// Returns all direct and indirect dependencies of these kinds, without the crate itself.
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
fn domain_depends_on_allowed_crates_alone() {
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
fn application_depends_on_domain_alone() {
    let workspace = workspace();
    let application = package(&workspace, "mycars-application");
    assert_eq!(used_of_workspace(application), ["mycars-domain"].into());
}

#[test]
fn workspace_crates_do_not_serialise_the_domain() {
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
fn domain_and_application_alone_can_be_published() {
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
fn adapters_do_not_depend_on_each_other() {
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
fn examples_use_allowed_crates_and_only_tests_use_them() {
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
        for kind in [DependencyKind::Normal, DependencyKind::Build] {
            let used = named(package, Some(kind)).find(|name| examples.contains(name));
            assert_eq!(used, None, "{} uses an example", package.name);
        }
    }
}

#[test]
fn examples_need_no_database_and_no_web_framework() {
    for (name, _, _) in EXAMPLES {
        let needed = tree(name, "normal,build,dev");
        assert!(needed.contains("mycars-domain"), "{needed:?}");
        for library in ["diesel", "libsqlite3-sys", "pq-sys", "actix-web", "tokio"] {
            assert!(!needed.contains(library), "{name} needs {library}");
        }
    }
}

#[test]
fn persistence_alone_names_database_libraries() {
    let workspace = workspace();
    let libraries = ["diesel", "r2d2", "libsqlite3-sys", "pq-sys"];
    let allowed = BTreeSet::from(["mycars-persistence", "mycars-testkit", BENCHMARK]);
    let naming = crates_that_name(&workspace, &libraries);
    assert!(naming.contains("mycars-persistence"));
    assert!(naming.is_subset(&allowed), "{naming:?}");
}

#[test]
fn redis_adapter_alone_names_client_of_redis() {
    let workspace = workspace();
    let naming = crates_that_name(&workspace, &["redis"]);
    assert_eq!(naming, ["mycars-redis"].into());
}

#[test]
fn http_and_server_alone_name_web_framework() {
    let workspace = workspace();
    let naming = crates_that_name(&workspace, &["actix"]);
    assert_eq!(naming, ["mycars-http", "mycars-server", BENCHMARK].into());
}

#[test]
fn testkit_is_used_by_tests_only() {
    let workspace = workspace();
    let others = workspace
        .packages
        .iter()
        .filter(|package| package.name.as_str() != BROWSER_TESTS);
    for package in others {
        for kind in [DependencyKind::Normal, DependencyKind::Build] {
            let used = named(package, Some(kind)).any(|name| name == "mycars-testkit");
            assert!(!used, "{} needs the testkit outside of its tests", package.name);
        }
    }
}

#[test]
fn benchmark_is_no_dependency() {
    let workspace = workspace();
    package(&workspace, BENCHMARK);
    assert_eq!(crates_that_name(&workspace, &[BENCHMARK]), BTreeSet::new());
}

#[test]
fn server_binary_contains_no_test_crates() {
    let for_tests = ["mockall", "mycars-testkit", "proptest"];
    let served = tree("mycars-server", "normal,build");
    assert!(served.contains("mycars-domain"), "{served:?}");
    let found: Vec<_> = for_tests.iter().filter(|name| served.contains(**name)).collect();
    assert!(found.is_empty(), "the binary contains {found:?}");
    // The dependencies of the tests include it, so the name is right, and `cargo tree` can show it.
    assert!(tree("mycars-server", "normal,dev").contains("mockall"));
}
