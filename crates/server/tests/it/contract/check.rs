//! Compares a response with the expectation of a step.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Outcome,
    case::{Expect, Strictness},
    json::{Json, Object},
    matching::Matching,
    picture,
    scene::Scene,
};
use crate::support::{Answer, Request};

/// Returns the differences of a response.
pub(super) fn faults(
    scene: &mut Scene<'_>,
    expect: &Expect,
    request: &Request,
    answer: &Answer,
) -> Outcome<Vec<String>> {
    let mut faults = Vec::new();
    let status = expect.status.as_ref().ok_or("the step expects no status")?;
    if !status.allows(answer.status) {
        faults.push(format!("status {}", answer.status));
    }
    for (name, wanted) in expect.headers.iter() {
        faults.extend(header_faults(scene, name, wanted, request, answer)?);
    }
    faults.extend(text_faults(scene, expect, answer)?);
    faults.extend(
        expect
            .image
            .iter()
            .flat_map(|image| picture::faults(image, &answer.body)),
    );
    if let Some(wanted) = &expect.body {
        let mut matching = Matching::of(scene);
        matching.is_subset = expect.strictness == Some(Strictness::Subset);
        matching.is_ordered = status.is_success() && !matching.is_subset;
        faults.extend(body_faults(matching, wanted, answer)?);
    }
    if !faults.is_empty() {
        faults.push(format!("the body is {}", shortened(&answer.text())));
    }
    Ok(faults)
}

/// Returns the differences of the responses to concurrent requests.
pub(super) fn race_faults(expect: &Expect, answers: &[Answer]) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status.to_string()).or_default() += 1;
    }
    if Some(&counts) == expect.statuses.as_ref() {
        Vec::new()
    } else {
        vec![format!("the statuses are {counts:?}")]
    }
}

fn header_faults(
    scene: &mut Scene<'_>,
    name: &str,
    wanted: &Json,
    request: &Request,
    answer: &Answer,
) -> Outcome<Vec<String>> {
    let got = answer.header(name);
    let (wanted, got) = match (wanted, got) {
        (Json::Null, None) => return Ok(Vec::new()),
        (Json::Null, Some(got)) => return Ok(vec![format!("there is a header {name}: {got}")]),
        (_, None) => return Ok(vec![format!("there is no header {name}")]),
        (wanted, Some(got)) => (wanted, got),
    };
    let is_right = match wanted.as_text() {
        Some("<location>") => locations(scene, request, answer).contains(&got),
        Some(methods) if name == "Allow" => words(methods) == words(&got),
        _ => {
            let mut matching = Matching::of(scene);
            matching.compare(wanted, &got.as_str().into(), name)?;
            matching.faults.is_empty()
        }
    };
    let fault = format!("the header {name} is {got:?}, not {wanted}");
    Ok(if is_right { Vec::new() } else { vec![fault] })
}

/// The location of the created resource: a path, or an absolute URL.
fn locations(scene: &Scene<'_>, request: &Request, answer: &Answer) -> [String; 2] {
    let made: Object = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = made.get("id").cloned().unwrap_or(Json::Null);
    let list = request.path.split('?').next().unwrap_or_default();
    let path = format!("{}/{id}/", list.trim_end_matches('/'));
    let absolute = format!("{}{path}", scene.world.base());
    [path, absolute]
}

fn words(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).collect()
}

fn text_faults(scene: &mut Scene<'_>, expect: &Expect, answer: &Answer) -> Outcome<Vec<String>> {
    let text = answer.text();
    let mut faults = Vec::new();
    if expect.empty && !answer.body.is_empty() {
        faults.push("there is a body".to_owned());
    }
    if expect.bytes.is_some_and(|bytes| bytes != answer.body.len()) {
        faults.push(format!("the body has {} bytes", answer.body.len()));
    }
    for wanted in &expect.contains {
        let wanted = scene.fill_text(wanted)?.to_string();
        if !text.contains(&wanted) {
            faults.push(format!("the body lacks {wanted}"));
        }
    }
    for unwanted in &expect.lacks {
        let unwanted = scene.fill_text(unwanted)?.to_string();
        if text.contains(&unwanted) {
            faults.push(format!("the body holds {unwanted}"));
        }
    }
    Ok(faults)
}

fn body_faults(mut matching: Matching<'_, '_>, wanted: &Json, answer: &Answer) -> Outcome<Vec<String>> {
    let kind = answer.header("Content-Type").unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        matching.faults.push(format!("the type is {kind:?}"));
    }
    match serde_json::from_slice(&answer.body) {
        Ok(got) => matching.compare(wanted, &got, "body")?,
        Err(_) => matching.faults.push("the body is no JSON".to_owned()),
    }
    Ok(matching.faults)
}

fn shortened(text: &str) -> String {
    const LENGTH: usize = 400;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
