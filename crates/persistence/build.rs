//! Rebuilds the crate after a migration is added: migrations are embedded, and cargo does not watch their folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
