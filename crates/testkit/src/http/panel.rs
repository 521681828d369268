//! The admin panel as browsers use it: by the forms of its pages.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Answer, Client,
    accounts::SUPERUSER_PASSWORD,
    browser::{Browser, cookie},
};

/// A session in the panel.
pub struct Panel<'s> {
    pub browser: Browser<'s>,
}

impl<'s> Panel<'s> {
    /// Logs in as the superuser.
    pub fn of_root(client: &'s Client) -> Self {
        Self::of(client, "root", SUPERUSER_PASSWORD)
    }

    pub fn of(client: &'s Client, username: &str, password: &str) -> Self {
        let mut browser = Browser::new(client);
        let answer = browser.log_in(username, password, "/admin/");
        assert_eq!(
            answer.header("Location").as_deref(),
            Some("/admin/"),
            "{}",
            answer.text()
        );
        Self { browser }
    }

    /// Returns a page.
    #[track_caller]
    pub fn page(&self, path: &str) -> String {
        let answer = self.browser.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    pub fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.browser.submit(path, fields)
    }

    /// Sends a form that must be accepted, and returns the target of the redirect.
    #[track_caller]
    pub fn save(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.submit(path, fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        answer.header("Location").unwrap()
    }

    /// Runs an action on the selection and confirms it.
    #[track_caller]
    pub fn bulk(&self, path: &str, action: &str, chosen: (&str, &str)) -> Answer {
        let asked = self.submit(path, &[("action", action), chosen]);
        assert_eq!(asked.status, 200, "{}", asked.text());
        self.submit(path, &confirmed(action, chosen, &hidden(&asked.text(), "digest")))
    }

    /// Returns the entries of the audit log, newest first.
    pub fn history(&self, query: &str) -> Value {
        let path = format!("/api/admin/history/?{query}");
        self.browser.get(&path).json(200)
    }

    pub fn entries(&self) -> Value {
        self.history("")["count"].clone()
    }

    pub fn user(&self, id: i64) -> Value {
        self.browser.get(&format!("/api/admin/users/{id}/")).json(200)
    }

    /// Returns the unchanged fields of the form of a user.
    pub fn user_form(&self, id: i64) -> BTreeMap<String, String> {
        let user = self.user(id);
        let names = [
            "username",
            "email",
            "first_name",
            "last_name",
            "role",
            "is_active",
            "phone",
            "address",
        ];
        let mut fields: BTreeMap<String, String> = names
            .iter()
            .map(|name| ((*name).to_owned(), text(&user[*name])))
            .collect();
        let version = hidden(&self.page(&format!("/admin/users/{id}/")), "version");
        fields.insert("version".to_owned(), version);
        fields
    }

    /// Returns the unchanged fields of the form of a car.
    pub fn car_form(&self, owner: i64, id: i64) -> BTreeMap<String, String> {
        let car = self
            .browser
            .get(&format!("/api/admin/users/{owner}/cars/{id}/"))
            .json(200);
        let names = [
            "brand", "model", "year", "color", "license", "vin", "mileage", "notes",
        ];
        let mut fields: BTreeMap<String, String> = names
            .iter()
            .map(|name| ((*name).to_owned(), text(&car[*name])))
            .collect();
        fields.insert("owner".to_owned(), text(&car["owner_username"]));
        let version = hidden(&self.page(&format!("/admin/cars/{id}/")), "version");
        fields.insert("version".to_owned(), version);
        fields
    }
}

pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the value of a hidden field.
#[track_caller]
pub fn hidden(html: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no field {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Returns the counts on the page that confirms a deletion.
pub fn tally(html: &str) -> Vec<(String, u64)> {
    let counts = html.split("<div><dt>").skip(1).filter_map(|part| {
        let (label, rest) = part.split_once("</dt><dd>")?;
        Some((label.to_owned(), rest.split('<').next()?.parse().ok()?))
    });
    counts.collect()
}

pub fn counted(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts
        .iter()
        .map(|(label, count)| ((*label).to_owned(), *count))
        .collect()
}

/// Returns the message for the next page.
pub fn message(answer: &Answer) -> String {
    let message = cookie(answer, "messages").unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
    message.replace('+', " ")
}

/// Returns the hidden fields of the page that confirms a deletion.
pub fn seen(html: &str, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().map(|name| (*name, hidden(html, name))).collect()
}

pub fn as_fields<'f>(fields: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// Returns the fields with other values for some of them.
pub fn with<'f>(
    fields: &'f BTreeMap<String, String>,
    others: &[(&'f str, &'f str)],
) -> Vec<(&'f str, &'f str)> {
    let kept = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| others.iter().all(|(other, _)| other != name));
    kept.chain(others.iter().copied()).collect()
}

/// Returns the fields of the confirmation page of an action.
pub fn confirmed<'f>(
    action: &'f str,
    chosen: (&'f str, &'f str),
    digest: &'f str,
) -> [(&'f str, &'f str); 4] {
    [("action", action), ("confirmed", "1"), ("digest", digest), chosen]
}
