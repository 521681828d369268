use std::collections::BTreeMap;

use super::{responses::FAULTS, *};

#[test]
fn yaml_and_json_are_one_document() {
    let of_json: serde_json::Value = serde_json::from_str(json().unwrap()).unwrap();
    let of_yaml: serde_json::Value = yaml_serde::from_str(yaml().unwrap()).unwrap();
    assert_eq!(of_json, of_yaml);
}

#[test]
fn all_examples_of_a_fault_have_its_status() {
    for fault in &FAULTS {
        for (name, error) in (fault.examples)() {
            assert_eq!(error.status(), fault.status(), "{name}");
            assert!(
                error.status().is_client_error() || error.status().as_u16() == 503,
                "{name}"
            );
        }
    }
}

#[test]
fn every_group_of_endpoints_is_described() {
    for endpoint in ENDPOINTS {
        assert!(TAGS.contains(&endpoint.tag), "{}", endpoint.path);
    }
}

#[test]
fn a_body_is_described_in_everything_that_it_can_be_written_in() {
    let document: serde_json::Value = serde_json::from_str(json().unwrap()).unwrap();
    for endpoint in ENDPOINTS {
        for operation in endpoint.operations {
            let method = operation.verb.as_str().to_ascii_lowercase();
            let described = &document["paths"][endpoint.path][method]["requestBody"]["content"];
            let media_types: Vec<_> = described
                .as_object()
                .into_iter()
                .flat_map(|content| content.keys().map(String::as_str))
                .collect();
            let expected: &[&str] = match (operation.body, operation.takes_file()) {
                (None, _) => &[],
                (Some(_), true) => &["multipart/form-data"],
                (Some(_), false) => &[
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data",
                ],
            };
            assert_eq!(media_types, expected, "{}", operation.id);
        }
    }
}

#[test]
fn schemas_of_one_name_are_one_schema() {
    let mut known = BTreeMap::new();
    let operations = ENDPOINTS.iter().flat_map(|endpoint| endpoint.operations);
    for (name, schema) in operations.flat_map(schemas::of_operation) {
        let schema = serde_json::to_value(&schema).unwrap();
        let before = known.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*before, schema, "two things are called {name}");
    }
}
