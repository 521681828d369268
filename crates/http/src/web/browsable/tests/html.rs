//! A minimal tokenizer of HTML, which reads pages as browsers do.

/// A start tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: String,
    /// Values are unescaped.
    pub(super) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns whether users fill in the element.
    pub(super) fn is_control(&self) -> bool {
        ["input", "select", "textarea"].contains(&self.name.as_str())
            && self.attribute("type") != Some("hidden")
    }
}

/// Returns the start tags, in order.
pub(super) fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let (tag, after) = tag(rest);
        rest = after;
        if ["textarea", "title", "script", "style"].contains(&tag.name.as_str()) {
            // The content of this element is text up to its end tag.
            rest = &rest[rest.find(&format!("</{}", tag.name)).unwrap()..];
        }
        tags.push(tag);
    }
    tags
}

/// Returns the structure of a page, without its text: its tags, with the names of their attributes.
pub(super) fn structure(html: &str) -> Vec<(String, Vec<String>)> {
    let names = |tag: Tag| {
        (
            tag.name,
            tag.attributes.into_iter().map(|(name, _)| name).collect(),
        )
    };
    tags(html).into_iter().map(names).collect()
}

fn tag(text: &str) -> (Tag, &str) {
    let (name, mut rest) = split_while(text, |letter| !letter.is_ascii_whitespace() && letter != '>');
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '/');
        if let Some(after) = rest.strip_prefix('>') {
            let name = name.to_ascii_lowercase();
            return (Tag { name, attributes }, after);
        }
        let (name, after) = split_while(rest, |letter| {
            !letter.is_ascii_whitespace() && !"=>/".contains(letter)
        });
        assert!(!name.is_empty(), "a broken tag: {text:.80}");
        let (value, after) = if let Some(value) = after.strip_prefix("=\"") {
            value.split_once('"').unwrap()
        } else {
            assert!(!after.starts_with('='), "a value without quotes: {text:.80}");
            ("", after)
        };
        attributes.push((name.to_owned(), unescaped(value)));
        rest = after;
    }
}

fn split_while(text: &str, holds: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !holds(letter)).unwrap_or(text.len()))
}

/// Returns the text of HTML without its tags.
pub(super) fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    unescaped(&text)
}

/// Returns the text of the element with an id.
pub(super) fn text_of(html: &str, name: &str, id: &str) -> String {
    let start = html.find(&format!("<{name} class=\"code\" id=\"{id}\"")).unwrap();
    let (_, content) = html[start..].split_once('>').unwrap();
    let (content, _) = content.split_once(&format!("</{name}")).unwrap();
    // A parser leaves out the first line break of a text area.
    unescaped(content.strip_prefix('\n').unwrap_or(content))
}

pub(super) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}
