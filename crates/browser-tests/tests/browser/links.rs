//! Every link leads to a page, and every page complies with its content security policy.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use crate::support::{CLIENT, ROOT, Site, cars};

#[test]
fn every_link_leads_to_a_page_without_errors() {
    let site = Site::open();
    let ann = site.api_of(CLIENT);
    for number in 0..3 {
        ann.create("/api/cars/", &cars::car(&format!("A-{number}")));
    }
    let car = site.api_of(ROOT).create("/api/cars/", &cars::car("R-1"));
    site.log_in(ROOT);
    site.visit(&format!("/api/cars/{car}/upload-image/"));
    let upload = site.form("POST");
    upload.field("Image").type_in(&cars::picture("tiny.jpg"));
    upload.press("POST");

    let statuses = walk(&site);
    let dead: Vec<_> = statuses
        .iter()
        .filter(|(_, status)| !matches!(status, 200 | 405))
        .collect();
    assert!(dead.is_empty(), "{dead:?}");
    for part in [
        "/upload-image/",
        "limit=20",
        "format=json",
        "/media/",
        "/cars/",
        "/admin/cars/?ordering=",
    ] {
        assert!(
            statuses.keys().any(|url| url.contains(part)),
            "no link has {part}: {statuses:?}"
        );
    }
    site.assert_quiet();
}

/// Follows all links from the root, and returns the status of each.
fn walk(site: &Site) -> BTreeMap<String, u16> {
    let mut statuses = BTreeMap::new();
    let mut ahead = VecDeque::from(["/api/".to_owned()]);
    while let Some(path) = ahead.pop_front() {
        if statuses.contains_key(&path) {
            continue;
        }
        assert!(statuses.len() < 300, "too many links: {statuses:?}");
        let status = site.visit(&path);
        statuses.insert(path.clone(), status);
        // A fragment that begins with `#/` is not an anchor, but a view of the documentation's script.
        let script = "const links = [...document.links];
            return {
                ahead: links.map((it) => it.href.split('#')[0]),
                lost: links.map((it) => it.getAttribute('href'))
                    .filter((it) => /^#[^/]/.test(it) && !document.getElementById(it.slice(1))),
                broken: [...document.images].filter((it) => it.complete && !it.naturalWidth).map((it) => it.src),
            };";
        let found = site.browser.run(script, &[]);
        for complaint in ["lost", "broken"] {
            assert_eq!(found[complaint], json!([]), "{complaint} on {path}");
        }
        for url in found["ahead"].as_array().unwrap() {
            let url = url.as_str().unwrap();
            if url == LICENSE {
                continue;
            }
            let Some(found) = url.strip_prefix(site.url()) else {
                panic!("{path} leads to {url}");
            };
            if is_of_its_own(found) {
                ahead.push_back(found.to_owned());
            }
        }
    }
    statuses
}

/// The only link to another site: Swagger UI makes it of the license of the OpenAPI document.
const LICENSE: &str = "https://spdx.org/licenses/MIT.html";

/// Returns whether a link leads to a new page instead of another view of a page of the panel, where filters and
/// orders add up and each page remembers the list before it.
fn is_of_its_own(path: &str) -> bool {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let is_another_view = query.contains('&') || query.contains("%2C") || query.starts_with("back=");
    !(path.starts_with("/admin/") && is_another_view)
}

#[test]
fn policy_violation_is_reported() {
    let site = Site::open();
    site.visit("/api/");
    site.assert_quiet();
    let script =
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}));
        return window.hacked === undefined;";
    assert_eq!(
        site.browser.run(script, &[]),
        true,
        "the policy lets scripts in the page run"
    );
    let complaints = site.complaints();
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains("Content Security Policy")),
        "{complaints:?}"
    );
}
