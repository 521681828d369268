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
