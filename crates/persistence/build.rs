//! Compiles the crate again when a migration was added: they are embedded, and cargo does not watch their folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
