//! Cars and pictures for tests.

use std::path::Path;

use serde_json::{Value, json};

/// Returns the fields of a car with this plate.
pub(crate) fn car(plate: &str) -> Value {
    json!({
        "brand": "Toyota",
        "model": "Camry",
        "year": 2023,
        "color": "Silver",
        "license": plate,
        "mileage": 15_000,
        "notes": "Winter tyres are in the cellar.",
    })
}

/// Returns the path of a picture.
pub(crate) fn picture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/contract/files");
    let path = Path::new(folder).join(name);
    let path = path.canonicalize().expect("the picture is there");
    path.to_str().expect("it is text").to_owned()
}
