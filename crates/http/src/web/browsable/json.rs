//! JSON as HTML: indented, coloured and with links.
//!
//! It is written in one pass over the response's text. Nothing is parsed into a tree, so that keys keep their order and
//! numbers their digits.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::web::ui::links::local_path;

/// JSON as HTML.
pub(super) struct Json<'a> {
    pub(super) text: &'a str,
    /// `http://host`: URLs of this server become links.
    pub(super) base_url: &'a str,
    /// Path of the list, if the `id` of each item links to the item.
    pub(super) list_path: Option<&'a str>,
}

// All text goes through `escape`.
impl HtmlSafe for Json<'_> {}

impl fmt::Display for Json<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer {
            json: self,
            out,
            open: Vec::new(),
            is_key: false,
            is_empty: false,
            key: "",
        };
        let mut rest = self.text;
        while !rest.is_empty() {
            let (token, after) = split_token(rest);
            writer.token(token, after)?;
            rest = after;
        }
        Ok(())
    }
}

/// Writes tokens in their order.
struct Writer<'a, 'f, 'o> {
    json: &'a Json<'a>,
    out: &'f mut fmt::Formatter<'o>,
    /// The open brackets.
    open: Vec<u8>,
    /// Whether the next string is a key.
    is_key: bool,
    /// Whether the innermost open bracket is empty.
    is_empty: bool,
    /// The last key, with its quotes.
    key: &'a str,
}

impl<'a> Writer<'a, '_, '_> {
    fn token(&mut self, token: &'a str, after: &str) -> fmt::Result {
        match token.as_bytes() {
            [b' ' | b'\t' | b'\r' | b'\n', ..] => Ok(()),
            [bracket @ (b'{' | b'[')] => self.open(token, *bracket, after),
            [b'}' | b']'] => self.close(token),
            [b','] => {
                self.is_key = self.open.last() == Some(&b'{');
                self.out.write_str(",")?;
                self.new_line()
            }
            [b':'] => self.out.write_str(": "),
            [b'"', ..] if self.is_key => {
                self.is_key = false;
                self.key = token;
                self.span("k", token)
            }
            [b'"', ..] => self.string(token),
            [b't' | b'f' | b'n', ..] => self.span("l", token),
            _ => self.number(token),
        }
    }

    fn open(&mut self, token: &str, bracket: u8, after: &str) -> fmt::Result {
        self.out.write_str(token)?;
        self.open.push(bracket);
        self.is_key = bracket == b'{';
        self.is_empty = after.trim_start().starts_with(['}', ']']);
        if self.is_empty { Ok(()) } else { self.new_line() }
    }

    fn close(&mut self, token: &str) -> fmt::Result {
        self.open.pop();
        if !std::mem::take(&mut self.is_empty) {
            self.new_line()?;
        }
        self.out.write_str(token)
    }

    fn new_line(&mut self) -> fmt::Result {
        self.out.write_str("\n")?;
        for _ in &self.open {
            self.out.write_str("    ")?;
        }
        Ok(())
    }

    fn string(&mut self, token: &str) -> fmt::Result {
        match link(token, self.json.base_url) {
            Some(href) => self.link("s", &href, token),
            None => self.span("s", token),
        }
    }

    fn number(&mut self, token: &str) -> fmt::Result {
        match self.json.list_path {
            Some(path) if self.is_id_of_item(token) => self.link("n", &format!("{path}{token}/"), token),
            _ => self.span("n", token),
        }
    }

    /// Returns whether a number is the id of an item of the list: `[{"id": 1}]` or `{"results": [{"id": 1}]}`.
    fn is_id_of_item(&self, token: &str) -> bool {
        self.key == "\"id\""
            && matches!(self.open.as_slice(), b"[{" | b"{[{")
            && token.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn span(&mut self, class: &str, token: &str) -> fmt::Result {
        write!(self.out, "<span class=\"{class}\">")?;
        escape(self.out, token)?;
        self.out.write_str("</span>")
    }

    fn link(&mut self, class: &str, href: &str, token: &str) -> fmt::Result {
        write!(self.out, "<a class=\"{class}\" href=\"")?;
        escape(self.out, href)?;
        self.out.write_str("\">")?;
        escape(self.out, token)?;
        self.out.write_str("</a>")
    }
}

/// Splits text after its first token. Space between tokens is a token.
fn split_token(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let length = match bytes.first() {
        Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => 1,
        Some(b'"') => string_length(bytes),
        Some(byte) if is_space(byte) => length_while(bytes, is_space),
        _ => length_while(bytes, |byte| !is_space(byte) && !b"{}[],:\"".contains(byte)),
    };
    // A token ends before or after an ASCII character, so that this never fails.
    text.split_at_checked(length).unwrap_or((text, ""))
}

fn length_while(bytes: &[u8], holds: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| holds(byte)).count()
}

/// Returns the length of the string at the start, with its quotes.
fn string_length(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Returns the URL that a JSON string links to, if it is on this server.
fn link(token: &str, base_url: &str) -> Option<String> {
    if !token.starts_with("\"http") && !token.starts_with("\"/media/") {
        return None;
    }
    let url: String = serde_json::from_str(token).ok()?;
    if url.starts_with("/media/") {
        return Some(url);
    }
    let path = url.strip_prefix(base_url)?;
    path.starts_with('/').then(|| local_path(path))
}

/// Writes text, escaped for elements and attributes.
fn escape(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(index) = rest.find(['<', '>', '&', '"', '\'']) {
        let (plain, special) = rest.split_at(index);
        out.write_str(plain)?;
        out.write_str(match special.as_bytes().first() {
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'&') => "&amp;",
            Some(b'"') => "&quot;",
            _ => "&#39;",
        })?;
        rest = special.split_at(1).1;
    }
    out.write_str(rest)
}
