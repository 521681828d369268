//! Tests of all pages, with any content.

mod html;
mod samples;

use html::{Tag, text, unescaped};
use samples::{all, samples};

use super::*;
use crate::request::indentation::Indentation;

/// Input that would become markup, a script or a style if it were not escaped.
const HOSTILE: [&str; 10] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "--><!-- ]]>",
    "\u{202e}gnirts\u{2066}",
    "a\0b\r\n\tc",
    "&lt;script&gt;&#60;&amp",
];

fn values<'a>(tags: &'a [Tag], name: &'a str) -> impl Iterator<Item = &'a str> {
    tags.iter().filter_map(move |tag| tag.attribute(name))
}

#[test]
fn every_page_is_valid_and_accessible_html() {
    for (name, html) in all() {
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        let tags = html::tags(&html);
        for single in ["h1", "main", "title", "header"] {
            let count = tags.iter().filter(|tag| tag.name == single).count();
            assert_eq!(count, 1, "{single} in {name}");
        }
        let ids: Vec<&str> = values(&tags, "id").collect();
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "#{id} is there twice in {name}");
        }
        let labelled: Vec<&str> = values(&tags, "for").collect();
        let named = values(&tags, "aria-describedby").chain(values(&tags, "aria-labelledby"));
        for id in labelled
            .iter()
            .copied()
            .chain(named.flat_map(str::split_whitespace))
        {
            assert!(ids.contains(&id), "#{id} is named and not there in {name}");
        }
        for target in values(&tags, "href").filter_map(|href| href.strip_prefix('#')) {
            assert!(
                ids.contains(&target),
                "#{target} is linked and not there in {name}"
            );
        }
        for control in tags.iter().filter(|tag| tag.is_control()) {
            let id = control.attribute("id").unwrap();
            assert!(labelled.contains(&id), "#{id} has no label in {name}");
        }
    }
}

#[test]
fn every_page_complies_with_the_strictest_policy() {
    for (name, html) in all() {
        for tag in html::tags(&html) {
            for (attribute, _) in &tag.attributes {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{attribute} in {name}"
                );
            }
            let loads_by_itself = tag.name != "script" || tag.attribute("src").is_some();
            assert!(loads_by_itself && tag.name != "style", "<{}> in {name}", tag.name);
            for url in ["href", "src", "action"]
                .iter()
                .filter_map(|name| tag.attribute(name))
            {
                let is_local = url.starts_with('/') && !url.starts_with("//") || url.starts_with('#');
                assert!(is_local, "{url} in {name}");
            }
        }
    }
}

#[test]
fn content_does_not_change_the_structure_of_a_page() {
    for hostile in HOSTILE
        .iter()
        .map(|value| (*value).to_owned())
        .chain(["x".repeat(100_000)])
    {
        for (with_hostile, harmless) in samples(&hostile).iter().zip(samples("harmless")) {
            let [hostile_tags, harmless_tags] =
                [with_hostile.html(), harmless.html()].map(|html| html::structure(&html));
            assert_eq!(
                hostile_tags, harmless_tags,
                "{hostile:.40} in {}",
                with_hostile.name
            );
        }
        let login = |value: &str| {
            html::structure(&render_login(&Login {
                next: value,
                username: value,
                error: Some(value),
                reset_path: None,
                resend_path: None,
                csrf_token: value,
            }))
        };
        assert_eq!(login(&hostile), login("harmless"));
    }
}

#[test]
fn json_is_shown_as_it_was_written() {
    let json = r#"{"z":1,"a":{"empty":{},"none":[],"text":"<b> \"é\" \u00e9 \\","n":[-1.50e+10,12345678901234567890,true,null]},
        "next":"http://localhost/api/cars/?limit=1&offset=2","image":"/media/cars/a.jpg"}"#;
    let value: Box<serde_json::value::RawValue> = serde_json::from_str(json).unwrap();
    let compact = r#"{"z":1,"a":{"empty":{},"none":[],"n":[-1.5,true,null]}}"#;
    let pretty = Indentation::new(4).apply(compact.as_bytes());
    let shown = |text| {
        let json = Json {
            text,
            base_url: "http://localhost",
            list_path: None,
        };
        json.to_string()
    };
    let simple = r#"{ "z":1,"a" : {"empty":{ },"none":[],"n":[-1.5,true,null]}}"#;
    assert_eq!(text(&shown(simple)), String::from_utf8(pretty).unwrap());
    // Only white space differs from the input.
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(squeezed(&text(&shown(value.get()))), squeezed(value.get()));
    assert!(shown(json).contains("<a class=\"s\" href=\"/api/cars/?limit=1&amp;offset=2\">"));
    assert!(shown(json).contains("<a class=\"s\" href=\"/media/cars/a.jpg\">"));
    for broken in ["{", "\"", "{\"a\":", "]]", "\u{1F600}", "nonsense <b>", "\"\\"] {
        assert!(!shown(broken).contains("<b"));
    }
}

#[test]
fn only_urls_of_this_server_are_links() {
    let linked = |text: &str| {
        let json = Json {
            text,
            base_url: "http://localhost",
            list_path: None,
        };
        json.to_string().contains("<a ")
    };
    assert!(linked("\"http://localhost/api/\""));
    for text in [
        "http://localhost.evil.example/",
        "http://evil.example/",
        "javascript:alert(1)",
        "//evil.example/",
        "/etc/passwd",
        "data:text/html,x",
    ] {
        assert!(!linked(&format!("\"{text}\"")), "{text}");
    }
}

#[test]
fn items_of_a_list_link_to_their_pages() {
    for sample in ["list", "paged-list"] {
        let html = samples::html(sample);
        assert!(
            html.contains("<a class=\"n\" href=\"/api/cars/7/\">7</a>"),
            "{sample}"
        );
    }
    assert!(!samples::html("detail").contains("<a class=\"n\""));
}

#[test]
fn refused_form_shows_errors_and_keeps_the_input() {
    let html = samples::html("refused-form");
    assert!(html.contains("<a href=\"#post-year\">Year: <bdi>A valid integer is required.</bdi></a>"));
    assert!(html.contains("<p class=\"error\" id=\"post-year-error\">A valid integer is required.</p>"));
    let tags = html::tags(&html);
    let year = tags
        .iter()
        .find(|tag| tag.attribute("id") == Some("post-year"))
        .unwrap();
    assert_eq!(year.attribute("value"), Some("soon"));
    assert_eq!(year.attribute("aria-invalid"), Some("true"));
    assert_eq!(
        year.attribute("aria-describedby"),
        Some("post-year-help post-year-error")
    );
    assert!(!html.contains("id=\"filter-year-error\""));
    assert!(html.contains("<a href=\"#post-form\"><bdi>Something belongs to no field.</bdi></a>"));
}

#[test]
fn failed_login_shows_its_error() {
    let html = samples::html("refused-token");
    assert!(html.contains(
        "<a href=\"#post-form\"><bdi>No active account found with the given credentials</bdi></a>"
    ));
    assert!(html.contains("<p class=\"error\">No active account"));
    assert!(!html.contains("<p class=\"error\">for_programs") && !html.contains("secret"));
    assert!(!html.contains("You are not logged in"));
}

#[test]
fn refused_body_is_shown_again() {
    let html = samples::html("refused-raw");
    assert!(html.contains("<a href=\"#change-raw-content\">"));
    let text = html::text_of(&html, "textarea", "change-raw-content");
    assert_eq!(text, "{\"brand\": }");
}

#[test]
fn forms_never_contain_a_password() {
    let html = samples::html("refused-password");
    assert!(!html.contains("secret"));
    assert!(html.contains("type=\"password\""));
}

#[test]
fn form_can_send_every_value() {
    let change = samples::html("user");
    // Of two values the last counts, so that an unticked box sends `false`.
    assert!(change.contains(
        "<input type=\"hidden\" name=\"is_active\" value=\"false\"><input id=\"change-is_active\""
    ));
    assert!(
        change.contains("name=\"_method\" value=\"PUT\"")
            && change.contains("name=\"_method\" value=\"PATCH\"")
    );
    let create = samples::html("users");
    assert!(create.contains("<select id=\"post-is_active\""));
    assert!(!create.contains("name=\"_method\""));
}

#[test]
fn list_form_keeps_the_rest_of_the_query() {
    let html = samples::html("paged-list");
    assert!(html.contains("<input type=\"hidden\" name=\"other\" value=\"kept\">"));
    assert!(html.contains("<option value=\"-year,brand\" selected>"));
    assert!(html.contains("21–22 of 57"));
    assert!(unescaped(&html).contains("href=\"/api/cars/?limit=20&ordering=-year%2Cbrand&other=kept\""));
    assert!(samples::html("list").contains("<a href=\"/api/cars/?limit=20\">"));
    let wrong = samples::html("wrong-filter");
    assert!(wrong.contains("id=\"filter-year-error\">Enter a number.</p>"));
}

#[test]
fn history_has_filters_and_no_links_to_entries() {
    let html = samples::html("history");
    assert!(html.contains("<option selected>changed</option>"));
    assert!(html.contains("name=\"at_min\" type=\"text\" value=\"2026-11-23\""));
    assert!(html.contains("placeholder=\"100\""));
    assert!(html.contains("1–1 of 1"));
    assert!(html.contains("<a class=\"s\" href=\"/media/cars/car_62_9a8ad5c0.jpg\">"));
    assert!(!html.contains("<a class=\"n\""));
}

#[test]
fn list_without_filters_only_has_pages() {
    let html = samples::html("history-of-car");
    for absent in ["filter-search", "filter-ordering", "<summary>Filters"] {
        assert!(!html.contains(absent), "{absent}");
    }
    assert!(html.contains("id=\"filter-limit\""));
    assert!(samples::html("detail").contains("href=\"/api/cars/62/history/\""));
}

#[test]
fn refused_requests_show_no_forms() {
    for status in ["401", "403", "404", "500"] {
        let html = samples::html(status);
        let tags = html::tags(&html);
        let forms = tags.iter().filter(|tag| tag.name == "form");
        let mut targets = forms.filter_map(|form| form.attribute("action"));
        assert!(targets.all(|target| target == "/api-auth/logout/"), "{status}");
        assert!(!html.contains("data-options"), "{status}");
    }
    assert!(samples::html("401").contains("/api-auth/login/?next=%2Fapi%2Fcars%2F"));
}

#[test]
fn created_and_deleted_pages_link_to_the_next_page() {
    assert!(samples::html("created").contains("<a href=\"/api/cars/8/\">Open it</a>"));
    let deleted = samples::html("deleted");
    assert!(deleted.contains("Deleted. <a href=\"/api/cars/\">Back to Cars</a>"));
    assert!(deleted.contains("It is shown as a page"));
}

#[test]
fn page_that_cannot_be_read_says_so_beside_its_form() {
    let html = samples::html("upload");
    assert!(html.contains("This path has nothing to GET"));
    assert!(html.contains("accept=\"image/jpeg,image/png,image/webp,image/gif\""));
    assert!(html.contains("enctype=\"multipart/form-data\"") && !html.contains("_content_type"));
}

#[test]
fn curl_command_is_quoted_and_has_no_token() {
    assert_eq!(shell("GET"), "GET");
    assert_eq!(shell("a'b; rm -rf $HOME"), r"'a'\''b; rm -rf $HOME'");
    assert_eq!(shell(""), "''");
    let html = samples::html("list");
    assert!(
        unescaped(&html).contains("curl -X GET http://localhost/api/cars/ -H 'Accept: application/json'")
    );
}

#[test]
fn list_of_twenty_cars_is_small() {
    let html = samples::html("twenty-cars");
    assert!(html.len() < 120_000, "{}", html.len());
}
