use std::collections::BTreeMap;

use super::{responses::ERROR_RESPONSES, *};

#[test]
fn yaml_and_json_are_one_document() {
    for server in [
        RELATIVE_SERVER,
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "http://[::1]",
        "https://cars.example.org",
        "http://x_-.example.org.:80",
    ] {
        let of_json: serde_json::Value = serde_json::from_str(&json(server).unwrap()).unwrap();
        let of_yaml: serde_json::Value = yaml_serde::from_str(&yaml(server).unwrap()).unwrap();
        assert_eq!(of_json, of_yaml);
        assert_eq!(of_json["servers"], serde_json::json!([{"url": server}]));
    }
}

#[test]
fn error_examples_have_the_status_of_their_response() {
    for fault in &ERROR_RESPONSES {
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
fn every_tag_of_an_endpoint_is_described() {
    for endpoint in ENDPOINTS {
        assert!(TAGS.contains(&endpoint.tag), "{}", endpoint.path);
    }
}

#[test]
fn request_bodies_declare_json_and_uploads_multipart() {
    let document: serde_json::Value = serde_json::from_str(&json(RELATIVE_SERVER).unwrap()).unwrap();
    for endpoint in ENDPOINTS {
        for operation in endpoint.operations {
            let method = operation.method.as_str().to_ascii_lowercase();
            let described = &document["paths"][endpoint.path][method]["requestBody"]["content"];
            let media_types: Vec<_> = described
                .as_object()
                .into_iter()
                .flat_map(|content| content.keys().map(String::as_str))
                .collect();
            let expected: &[&str] = match (operation.body, operation.takes_file()) {
                (None, _) => &[],
                (Some(_), true) => &["multipart/form-data"],
                (Some(_), false) => &["application/json"],
            };
            assert_eq!(media_types, expected, "{}", operation.id);
        }
    }
}

#[test]
fn schemas_of_one_name_are_equal() {
    let mut known = BTreeMap::new();
    let operations = ENDPOINTS.iter().flat_map(|endpoint| endpoint.operations);
    for (name, schema) in operations.flat_map(schemas::of_operation) {
        let schema = serde_json::to_value(&schema).unwrap();
        let before = known.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*before, schema, "two schemas are named {name}");
    }
}

/// Client generators show examples of the media type; few use those of the schema.
#[test]
fn json_bodies_have_examples_at_the_media_type() {
    let document: serde_json::Value = serde_json::from_str(&json(RELATIVE_SERVER).unwrap()).unwrap();
    let mut bodies = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values().filter(|it| it.is_object()) {
            let responses = operation["responses"].as_object().unwrap().values();
            bodies.extend(responses.chain(operation.get("requestBody")));
        }
    }
    bodies.extend(document["components"]["responses"].as_object().unwrap().values());
    let contents: Vec<_> = bodies
        .into_iter()
        .filter_map(|body| body["content"].get("application/json"))
        .collect();
    assert!(contents.len() > 50, "only {} bodies were found", contents.len());
    let without: Vec<_> = contents
        .into_iter()
        .filter(|it| it.get("example").is_none() && it.get("examples").is_none())
        .collect();
    assert!(without.is_empty(), "{without:?}");
}
