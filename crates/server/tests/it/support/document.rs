//! The OpenAPI document of a server, and the comparison of responses with it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::{Answer, Client, Request};

/// The methods of operations.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

pub(crate) struct Document {
    pub(crate) json: Value,
    /// The schemas of responses, compiled at their first use; by their JSON.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    pub(crate) fn of(client: &Client) -> Self {
        let answer = client.send(&Request::get("/api/schema/")).expect("an answer");
        Self {
            json: answer.json(200),
            validators: Mutex::default(),
        }
    }

    /// Returns all paths with their operations.
    pub(crate) fn operations(&self) -> BTreeMap<&str, BTreeMap<&str, &Value>> {
        let paths = self.json["paths"].as_object().unwrap();
        paths
            .iter()
            .map(|(path, item)| (path.as_str(), operations(item)))
            .collect()
    }

    /// Returns the differences between a response, in JSON or without a body, and the document. Routes that
    /// are not in the document are not compared, and neither are responses for refused hosts.
    pub(crate) fn faults(&self, request: &Request, answer: &Answer) -> Vec<String> {
        let path = request.path.split('?').next().unwrap_or(&request.path);
        let names_host = request
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("Host"));
        let is_json = answer.header("Content-Type").as_deref() == Some("application/json");
        if names_host && answer.status == 400 || !(is_json || answer.body.is_empty()) {
            return Vec::new();
        }
        let method = request.method.replace("HEAD", "GET");
        let Some(operation) = self.find(&method, path) else {
            return Vec::new();
        };
        let call = format!("{} {}", request.method, request.path);
        let Some(response) = operation["responses"].get(answer.status.to_string()) else {
            return vec![format!("{call}: {} is not in the document", answer.status)];
        };
        let schema = &self.resolved(response)["content"]["application/json"]["schema"];
        match (schema, answer.body.is_empty()) {
            (_, true) if request.method == "HEAD" => Vec::new(),
            (Value::Null, true) => Vec::new(),
            (Value::Null, false) | (_, true) => {
                vec![format!(
                    "{call}: whether there is a body is not as in the document"
                )]
            }
            (schema, false) => {
                let body = serde_json::from_slice(&answer.body).unwrap();
                let validator = self.validator(schema);
                let faults = validator.iter_errors(&body);
                faults
                    .map(|fault| format!("{call}: {fault} at {}", fault.instance_path()))
                    .collect()
            }
        }
    }

    fn find(&self, method: &str, path: &str) -> Option<&Value> {
        let operations = self.operations();
        let (_, operations) = operations
            .into_iter()
            .find(|(template, _)| fits(template, path))?;
        operations.get(method).copied()
    }

    /// Returns the target of a reference.
    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(reference) => self.json.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Returns a compiled schema. Unless the schema allows them, properties that it does not name are errors.
    pub(crate) fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut schemas = self.json["components"]["schemas"].clone();
            for schema in schemas.as_object_mut().unwrap().values_mut() {
                if schema.get("properties").is_some() {
                    schema["additionalProperties"] = false.into();
                }
            }
            // References begin at the root of the document.
            let mut root: Map<_, _> = schema.as_object().unwrap().clone();
            root.insert("components".to_owned(), json!({"schemas": schemas}));
            let options = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .should_validate_formats(true);
            Arc::new(options.build(&root.into()).unwrap())
        });
        Arc::clone(ready)
    }
}

fn operations(item: &Value) -> BTreeMap<&str, &Value> {
    let operation = |method: &'static str| Some((method, item.get(method.to_ascii_lowercase())?));
    METHODS.into_iter().filter_map(operation).collect()
}

/// Returns whether a path matches a template, with or without its trailing slash. Ids are digits, and a file name is
/// any text.
fn fits(template: &str, path: &str) -> bool {
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |(expected, part): (&str, &str)| {
        expected == part || expected == "{file}" || expected.starts_with('{') && is_id(part)
    };
    let (template, path) = (template.trim_end_matches('/'), path.trim_end_matches('/'));
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(fits)
}
