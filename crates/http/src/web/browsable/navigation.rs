//! Links to the pages above and below a page.

use crate::{
    api::{ENDPOINTS, endpoint::Endpoint},
    web::ui::links::{Crumb, Link, local_path},
};

/// Path of the API's root.
const ROOT: &str = "/api/";

/// Returns the breadcrumbs from the API's root to a path.
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

/// Returns the nearest page above a path.
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

/// Returns the pages one step below a path, such as `upload-image/` of a car. None for the root, whose response lists
/// them.
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

/// Returns whether each item of the list at this path has a page.
pub(super) fn has_items(path: &str) -> bool {
    endpoint_at(&format!("{}/0/", path.trim_end_matches('/'))).is_some()
}

pub(super) fn endpoint_at(path: &str) -> Option<&'static Endpoint> {
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

/// Returns the label of a breadcrumb: the name of the root, or the last segment of the path.
fn label(url: &str, segment: &str) -> String {
    match endpoint_at(url) {
        Some(root) if root.path == ROOT => root.name.to_owned(),
        _ => words(segment),
    }
}

/// Returns `upload-image` as `Upload image`.
fn words(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters)
        .collect::<String>()
        .replace('-', " ")
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
    fn breadcrumbs_link_to_pages_above_only() {
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
    fn children_are_pages_one_step_below() {
        let below = |path| -> Vec<String> { children(path).into_iter().map(|link| link.url).collect() };
        assert_eq!(
            below("/api/cars/12/"),
            ["/api/cars/12/upload-image/", "/api/cars/12/history/"]
        );
        assert_eq!(below("/api/cars/12"), below("/api/cars/12/"));
        assert_eq!(below("/api/admin/users/3/"), ["/api/admin/users/3/cars/"]);
        assert_eq!(below("/api/cars/"), ["/api/cars/import/"]);
        assert_eq!(below("/api/"), [] as [&str; 0]);
        assert_eq!(below("/nothing/"), [] as [&str; 0]);
        assert!(has_items("/api/cars/"));
        assert!(!has_items("/api/me/"));
        assert!(!has_items("/api/admin/history/"));
    }
}
