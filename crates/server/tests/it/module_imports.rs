//! Modules of a crate import each other without circles.
//!
//! A module and the modules below it count as one, and may use each other: a parent names its children and re-exports
//! them, and they use its types.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The folders of the crates that the test checks.
const CRATES: [&str; 4] = ["benches", "crates/application", "crates/http", "crates/server"];

/// The name of a module: its path below the crate's root, which is empty.
type Module = Vec<String>;

/// For each module of a crate, the modules that it imports.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn module_imports_have_no_circles() {
    for folder in CRATES {
        let imports = imports(&Path::new(ROOT).join(folder).join("src"));
        assert!(
            imports.len() > 5,
            "{folder}: only {} modules were found",
            imports.len()
        );
        let circles: Vec<String> = imports
            .keys()
            .filter(|module| reachable(&imports, module).contains(*module))
            .map(|module| module.join("::"))
            .collect();
        assert!(
            circles.is_empty(),
            "{folder}: these modules import each other in a circle: {circles:#?}"
        );
    }
}

#[test]
fn circle_of_two_modules_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let imports = Imports::from([
        (module("a"), [module("b")].into()),
        (module("b"), [module("a"), module("c")].into()),
        (module("c"), BTreeSet::new()),
    ]);
    assert!(reachable(&imports, &module("a")).contains(&module("a")));
    assert!(!reachable(&imports, &module("c")).contains(&module("c")));
}

/// Returns all modules that `from` imports, directly or not.
fn reachable(imports: &Imports, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = pending.pop() {
        if reached.insert(module.clone()) {
            pending.extend(&imports[module]);
        }
    }
    reached
}

fn imports(src: &Path) -> Imports {
    let files: BTreeMap<Module, PathBuf> = rust_files(src)
        .into_iter()
        .map(|file| (module(src, &file), file))
        .collect();
    let names: BTreeSet<Module> = files.keys().cloned().collect();
    files
        .into_iter()
        .map(|(module, file)| {
            let mut visitor = Paths {
                module: module.clone(),
                paths: Vec::new(),
            };
            visitor.visit_file(&syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap());
            let imported = visitor.paths.into_iter().filter_map(|path| owner(&names, path));
            let others = imported.filter(|other| !other.starts_with(&module) && !module.starts_with(other));
            let others = others.collect();
            (module, others)
        })
        .collect()
}

/// Returns the module with the item at `path`; `None` if it is in the crate's root or in another crate.
fn owner(modules: &BTreeSet<Module>, mut path: Module) -> Option<Module> {
    while !path.is_empty() && !modules.contains(&path) {
        path.pop();
    }
    (!path.is_empty()).then_some(path)
}

fn module(src: &Path, file: &Path) -> Module {
    let names = file.strip_prefix(src).unwrap().with_extension("");
    let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "lib" && name != "main").collect()
}

/// Returns the source files of a crate, without its tests and further binaries, which are crates of their own.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            !["tests", "tests.rs", "bin"]
                .iter()
                .any(|name| path.ends_with(name))
        })
        .flat_map(|path| {
            if path.is_dir() {
                rust_files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Collects the paths that begin with `crate`, `super` or `self`, from the crate's root.
struct Paths {
    module: Module,
    paths: Vec<Module>,
}

impl Paths {
    fn add(&mut self, names: &[String]) {
        let mut path = match names[0].as_str() {
            "crate" => Module::new(),
            "super" | "self" => self.module.clone(),
            _ => return,
        };
        for name in names {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(path.pop()),
                name => path.push(name.to_owned()),
            }
        }
        self.paths.push(path);
    }

    fn add_tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, before)),
            UseTree::Name(name) => self.add(&[before.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.add(&[before.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.add(before),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_test) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !item.attrs.iter().any(is_test) {
            self.add_tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(&names);
        visit::visit_path(self, path);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|name| name == "test")
}
