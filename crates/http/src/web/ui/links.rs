//! URLs, links and breadcrumbs.

use crate::request::query::Query;

/// A link to another page.
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) url: String,
}

/// One breadcrumb.
pub(crate) struct Crumb {
    pub(crate) label: String,
    /// `None` for the page itself, and for a step that has no page.
    pub(crate) url: Option<String>,
}

/// Returns a path that always leads to this server: browsers take `//host` and `/\host` for other servers.
pub(crate) fn local_path(path: &str) -> String {
    let rest = path.trim_start_matches(['/', '\\']);
    let mut local = String::with_capacity(path.len() + 1);
    local.push('/');
    for letter in rest.chars() {
        match letter {
            '\\' => local.push_str("%5C"),
            // Browsers remove line breaks and tabs before they parse a URL.
            _ if letter.is_ascii_control() => {}
            _ => local.push(letter),
        }
    }
    local
}

/// Joins a path and a query, which may be empty.
pub(crate) fn url(path: &str, query: &str) -> String {
    let path = local_path(path);
    if query.is_empty() {
        return path;
    }
    format!("{path}?{query}")
}

/// Returns a path with one query parameter.
pub(crate) fn url_with(path: &str, name: &str, value: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish();
    url(path, &query)
}

/// Returns a path with a query, without the parameters `removed` and with `added`.
pub(crate) fn changed_url(
    path: &str,
    query: &Query,
    removed: &[&str],
    added: Option<(&str, &str)>,
) -> String {
    url(path, &query.changed(removed, added))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_path_never_leads_to_another_server() {
        assert_eq!(local_path("//evil.example/x"), "/evil.example/x");
        assert_eq!(local_path("/\\evil.example"), "/evil.example");
        assert_eq!(local_path("/a\\b\tc"), "/a%5Cbc");
        assert_eq!(url("//evil.example/", "a=1"), "/evil.example/?a=1");
    }
}
