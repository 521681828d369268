//! The rules that every response follows.

use crate::support::Answer;

/// Internal texts that no response may contain.
const INTERNALS: [&str; 12] = [
    "diesel",
    "serde",
    "sql",
    "postgres",
    "libpq",
    "actix",
    "r2d2",
    "panicked",
    ".rs:",
    "src/",
    "backtrace",
    "utf8error",
];

/// Returns the faults of the response to a request.
pub(super) fn faults(request: &[u8], answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |is_so: bool, what: &str| {
        if !is_so {
            faults.push(format!("{}: {what}: {}", answer.status, answer.text()));
        }
    };
    must(answer.status < 500, "the server failed");
    must(
        answer.status != 401 || answer.header("WWW-Authenticate").is_some(),
        "no WWW-Authenticate",
    );
    must(
        answer.status != 405 || answer.header("Allow").is_some(),
        "no Allow",
    );
    let media_type = answer.header("Content-Type").unwrap_or_default();
    let is_file = matches!(&*media_type, "image/jpeg" | "application/zip") && answer.status < 400;
    let is_page = media_type == "text/html; charset=utf-8";
    if !answer.body.is_empty() && !is_file {
        must(
            is_page || media_type == "application/json",
            "the body is neither called JSON nor a page",
        );
        must(
            is_page || serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok(),
            "the body is not JSON",
        );
        must(
            !is_page || answer.header("Content-Security-Policy").is_some(),
            "the page has no Content-Security-Policy",
        );
        let text = answer.text().to_ascii_lowercase();
        // Tokens are random text, which may contain any short word.
        let mut texts = text.split('"').filter(|text| !text.starts_with("eyj"));
        let told = texts.find_map(|text| INTERNALS.iter().find(|word| text.contains(**word)));
        must(told.is_none(), &format!("tells {told:?}"));
    }
    // The connection itself refuses malformed requests, with an empty body.
    let is_refused_unread = answer.header("X-Request-Id").is_none();
    must(
        answer.status != 400 || !is_refused_unread || answer.body.is_empty(),
        "no X-Request-Id",
    );
    must(
        !is_refused_unread || answer.status == 400 && !is_plain(request),
        "no X-Request-Id",
    );
    faults
}

/// Returns whether the head of a request is valid for every server.
fn is_plain(request: &[u8]) -> bool {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n");
    let head = &request[..end.unwrap_or(request.len())];
    head.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0x20..0x7f)) && head.len() < 16 * 1024
}

/// Formats a request for messages; `printf` can send it again.
pub(super) fn shown(request: &[u8]) -> String {
    let text = request.escape_ascii().to_string();
    if text.len() <= 2000 {
        return text;
    }
    format!("{} … ({} bytes)", &text[..2000], request.len())
}
