//! The request that a step sends.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    Outcome,
    case::{self, Step},
    json::{Json, Object},
    scene::Scene,
};
use crate::support::Request;

/// The boundary of multipart bodies. No file of a case contains it.
const BOUNDARY: &str = "----contract-3f1c9a5be2d84706";

/// A body and its type; raw bodies have none.
struct Body {
    bytes: Vec<u8>,
    kind: Option<String>,
}

pub(super) fn of(scene: &mut Scene<'_>, step: &Step) -> Outcome<Request> {
    let (method, path) = step.call.split_once(' ').ok_or("`do` is no method and path")?;
    let path = scene.fill_text(path)?.to_string();
    let base = scene.world.base();
    let body = body(scene, step)?;
    let mut headers = Object::default();
    headers.set("Accept", "application/json");
    if let Some(actor) = &step.actor {
        headers.set("Authorization", format!("Bearer {}", scene.access_of(actor)?));
    }
    if let Some(kind) = body.kind {
        headers.set("Content-Type", kind);
    }
    for (name, value) in scene.fill_object(&step.headers)?.iter() {
        headers.set(name, value.clone());
    }
    let mut request = Request::new(method, path.strip_prefix(&base).unwrap_or(&path));
    request.body = body.bytes;
    // A header with the value null is left out.
    for (name, value) in headers.iter().filter(|(_, value)| **value != Json::Null) {
        request = request.header(name, &value.to_string());
    }
    Ok(request)
}

fn body(scene: &mut Scene<'_>, step: &Step) -> Outcome<Body> {
    let typed = |bytes: Vec<u8>, kind: &str| Body {
        bytes,
        kind: Some(kind.to_owned()),
    };
    let untyped = |bytes: Vec<u8>| Body { bytes, kind: None };
    if let Some(json) = &step.json {
        let bytes = serde_json::to_vec(&scene.fill(json)?).map_err(|error| error.to_string())?;
        Ok(typed(bytes, "application/json"))
    } else if let Some(form) = &step.form {
        Ok(typed(
            urlencoded(&scene.fill_object(form)?),
            "application/x-www-form-urlencoded",
        ))
    } else if let Some(parts) = &step.multipart {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        Ok(typed(multipart(&scene.fill_object(parts)?)?, &kind))
    } else if let Some(raw) = &step.raw {
        Ok(untyped(scene.fill_text(raw)?.to_string().into_bytes()))
    } else if let Some(raw) = &step.raw_base64 {
        let bytes = BASE64_STANDARD.decode(raw).map_err(|error| error.to_string())?;
        Ok(untyped(bytes))
    } else {
        Ok(untyped(Vec::new()))
    }
}

fn urlencoded(form: &Object) -> Vec<u8> {
    let mut encoder = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form.iter() {
        encoder.append_pair(name, &value.to_string());
    }
    encoder.finish().into_bytes()
}

fn multipart(parts: &Object) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    for (name, value) in parts.iter() {
        let (attributes, content) = match value {
            Json::Object(file) => part_of_file(file)?,
            text => (String::new(), text.to_string().into_bytes()),
        };
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{attributes}\r\n\r\n")
                .as_bytes(),
        );
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    Ok(body)
}

/// Returns the rest of the headers of a file's part, and the content of the file.
fn part_of_file(file: &Object) -> Outcome<(String, Vec<u8>)> {
    let text = |key: &str| file.get(key).and_then(Json::as_text);
    let stored = text("file").ok_or("a file has no name")?;
    let mut content = case::file(stored);
    if let Some(size) = file.get("pad_to").and_then(Json::as_integer) {
        content.resize(usize::try_from(size).map_err(|error| error.to_string())?, 0);
    }
    let name = text("name").unwrap_or(stored);
    let kind = match text("type").unwrap_or("image/jpeg") {
        "" => String::new(),
        kind => format!("\r\nContent-Type: {kind}"),
    };
    Ok((format!("; filename=\"{name}\"{kind}"), content))
}
