//! The links of a page: to itself in other forms, to what is above it and to what is below it.

use crate::{
    api::{ENDPOINTS, endpoint::Endpoint},
    request::urlencoded,
};

/// The path under which everything is.
const ROOT: &str = "/api/";

/// A link to another page.
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) url: String,
}

/// One step of the way from the root to a page.
pub(crate) struct Crumb {
    pub(crate) label: String,
    /// `None` for what is no page, and for the page itself.
    pub(crate) url: Option<String>,
}

/// The way from the API's root to a path.
pub(super) fn breadcrumbs(path: &str) -> Vec<Crumb> {
    let whole = local_path(path);
    let mut url = String::from("/");
    let mut crumbs = Vec::new();
    for segment in segments(&whole) {
        url.push_str(segment);
        url.push('/');
        let is_page_itself = url.trim_end_matches('/') == whole.trim_end_matches('/');
        let is_link = !is_page_itself && endpoint_at(&url).is_some();
        crumbs.push(Crumb {
            label: label(&url, segment),
            url: is_link.then(|| url.clone()),
        });
    }
    crumbs
}

/// The nearest page above a path.
pub(super) fn parent(path: &str) -> Option<Link> {
    let crumb = breadcrumbs(path)
        .into_iter()
        .rev()
        .find(|crumb| crumb.url.is_some())?;
    Some(Link {
        url: crumb.url?,
        label: crumb.label,
    })
}

/// The pages right below a path, such as `upload-image/` of a car. Those below the root are its answer.
pub(super) fn children(path: &str) -> Vec<Link> {
    let path = local_path(path);
    let Some(parent) = endpoint_at(&path).filter(|endpoint| endpoint.path != ROOT) else {
        return Vec::new();
    };
    let below = |endpoint: &&Endpoint| endpoint.path.strip_prefix(parent.path);
    ENDPOINTS
        .iter()
        .filter_map(|endpoint| {
            let name = below(endpoint)?.strip_suffix('/')?;
            let is_one_step = !name.is_empty() && !name.contains(['/', '{']);
            is_one_step.then(|| Link {
                label: words(name),
                url: format!("{}/{name}/", path.trim_end_matches('/')),
            })
        })
        .collect()
}

/// Whether a list at this path has a page for each of its items.
pub(super) fn has_items(path: &str) -> bool {
    endpoint_at(&format!("{}/0/", path.trim_end_matches('/'))).is_some()
}

fn endpoint_at(path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS
        .iter()
        .copied()
        .find(|endpoint| is_at(endpoint.path, path))
}

fn is_at(pattern: &str, path: &str) -> bool {
    let is_number = |segment: &str| segment.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |(wanted, given): (&str, &str)| wanted == given || wanted.starts_with('{') && is_number(given);
    segments(pattern).count() == segments(path).count() && segments(pattern).zip(segments(path)).all(fits)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// What a step is called: the root by its name, all others by theirs in the path.
fn label(url: &str, segment: &str) -> String {
    match endpoint_at(url) {
        Some(root) if root.path == ROOT => root.name.to_owned(),
        _ => words(segment),
    }
}

/// `upload-image` as `Upload image`.
fn words(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters)
        .collect::<String>()
        .replace('-', " ")
}

/// A path that leads to this server, whoever wrote it: browsers take `//host` and `/\host` for other servers.
pub(super) fn local_path(path: &str) -> String {
    let rest = path.trim_start_matches(['/', '\\']);
    let mut local = String::with_capacity(path.len() + 1);
    local.push('/');
    for letter in rest.chars() {
        match letter {
            '\\' => local.push_str("%5C"),
            // Browsers leave out line breaks and tabs before they read a URL.
            _ if letter.is_ascii_control() => {}
            _ => local.push(letter),
        }
    }
    local
}

/// A path with a query, which may be empty.
pub(crate) fn url(path: &str, query: &str) -> String {
    let path = local_path(path);
    if query.is_empty() {
        return path;
    }
    format!("{path}?{query}")
}

/// The parameters of a query; those that are not UTF-8 are left out.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(query: &str) -> Self {
        let parameters = urlencoded::parameters(query);
        Self(
            parameters
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        )
    }

    /// The last value under a name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// Those that are not named.
    pub(crate) fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        let is_left = |(name, _): &&(String, String)| !names.contains(&name.as_str());
        self.0.iter().filter(is_left).cloned().collect()
    }

    /// The query with these left out and that one added.
    pub(crate) fn query(&self, left_out: &[&str], added: Option<(&str, &str)>) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.without(left_out))
            .extend_pairs(added)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(path: &str) -> Vec<(String, Option<String>)> {
        breadcrumbs(path)
            .into_iter()
            .map(|crumb| (crumb.label, crumb.url))
            .collect()
    }

    fn step(label: &str, url: Option<&str>) -> (String, Option<String>) {
        (label.to_owned(), url.map(str::to_owned))
    }

    #[test]
    fn only_what_is_above_and_a_page_is_a_link() {
        assert_eq!(
            trail("/api/admin/users/3/cars/12/upload-image"),
            [
                step("Api Root", Some("/api/")),
                step("Admin", None),
                step("Users", Some("/api/admin/users/")),
                step("3", Some("/api/admin/users/3/")),
                step("Cars", Some("/api/admin/users/3/cars/")),
                step("12", Some("/api/admin/users/3/cars/12/")),
                step("Upload image", None),
            ]
        );
        assert_eq!(trail("/"), []);
        assert_eq!(
            parent("/api/cars/12/").map(|link| link.url),
            Some("/api/cars/".into())
        );
        assert!(parent("/api/").is_none());
    }

    #[test]
    fn a_page_knows_those_right_below_it() {
        let below = |path| -> Vec<String> { children(path).into_iter().map(|link| link.url).collect() };
        assert_eq!(
            below("/api/cars/12/"),
            ["/api/cars/12/upload-image/", "/api/cars/12/history/"]
        );
        assert_eq!(below("/api/cars/12"), below("/api/cars/12/"));
        assert_eq!(below("/api/admin/users/3/"), ["/api/admin/users/3/cars/"]);
        assert_eq!(below("/api/cars/"), [] as [&str; 0]);
        assert_eq!(below("/api/"), [] as [&str; 0]);
        assert_eq!(below("/nothing/"), [] as [&str; 0]);
        assert!(has_items("/api/cars/"));
        assert!(!has_items("/api/me/"));
        assert!(!has_items("/api/admin/history/"));
    }

    #[test]
    fn no_path_leads_to_another_server() {
        assert_eq!(local_path("//evil.example/x"), "/evil.example/x");
        assert_eq!(local_path("/\\evil.example"), "/evil.example");
        assert_eq!(local_path("/a\\b\tc"), "/a%5Cbc");
        assert_eq!(url("//evil.example/", "a=1"), "/evil.example/?a=1");
    }
}
