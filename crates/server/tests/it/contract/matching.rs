//! Compares JSON with an expectation: placeholders, shapes and parts that may vary.

use chrono::DateTime;

use super::{
    Outcome,
    json::{Json, Object},
    scene::Scene,
};

/// A comparison, and the differences that it has found so far.
pub(super) struct Matching<'a, 'w> {
    scene: &'a mut Scene<'w>,
    /// Whether the order of keys counts.
    pub(super) is_ordered: bool,
    /// Whether objects may have further keys.
    pub(super) is_subset: bool,
    pub(super) faults: Vec<String>,
}

impl<'a, 'w> Matching<'a, 'w> {
    pub(super) fn of(scene: &'a mut Scene<'w>) -> Self {
        Self {
            scene,
            is_ordered: false,
            is_subset: false,
            faults: Vec::new(),
        }
    }

    /// Compares the values at one path.
    pub(super) fn compare(&mut self, wanted: &Json, got: &Json, place: &str) -> Outcome<()> {
        match (wanted, got) {
            (Json::Object(wanted), Json::Object(got)) => self.compare_objects(wanted, got, place),
            (Json::List(wanted), Json::List(got)) if wanted.len() == got.len() => {
                for (number, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                    self.compare(wanted, got, &format!("{place}[{number}]"))?;
                }
                Ok(())
            }
            (Json::Text(text), _) => self.compare_text(text, got, place),
            _ => {
                self.expect(wanted == got, wanted, got, place);
                Ok(())
            }
        }
    }

    fn expect(&mut self, is_right: bool, wanted: &Json, got: &Json, place: &str) {
        if !is_right {
            self.faults.push(format!("{place} is {got}, not {wanted}"));
        }
    }

    fn compare_objects(&mut self, wanted: &Object, got: &Object, place: &str) -> Outcome<()> {
        let wanted = self.with_names(&self.shaped(wanted)?)?;
        let missing: Vec<_> = wanted.keys().filter(|key| got.get(key).is_none()).collect();
        let extra: Vec<_> = got.keys().filter(|key| wanted.get(key).is_none()).collect();
        if !missing.is_empty() {
            self.faults.push(format!("{place} lacks {}", missing.join(", ")));
        }
        if !extra.is_empty() && !self.is_subset {
            self.faults.push(format!("{place} also has {}", extra.join(", ")));
        }
        let is_whole = missing.is_empty() && extra.is_empty();
        if self.is_ordered && is_whole && !wanted.keys().eq(got.keys()) {
            let keys: Vec<_> = got.keys().collect();
            self.faults.push(format!(
                "the keys of {place} are in the order {}",
                keys.join(", ")
            ));
        }
        for (key, value) in wanted.iter() {
            if let Some(got) = got.get(key) {
                self.compare(value, got, &format!("{place}.{key}"))?;
            }
        }
        Ok(())
    }

    /// Returns an object like a shape, except for its own keys.
    fn shaped(&self, wanted: &Object) -> Outcome<Object> {
        let Some(name) = wanted.get("<like>") else {
            return Ok(wanted.clone());
        };
        let shape = name.as_text().and_then(|name| self.scene.world.shapes.get(name));
        let mut shaped = shape
            .and_then(Json::as_object)
            .ok_or_else(|| format!("there is no shape {name}"))?
            .clone();
        for (key, value) in wanted.iter().filter(|(key, _)| *key != "<like>") {
            shaped.set(key, value.clone());
        }
        Ok(shaped)
    }

    /// Returns an object with resolved keys. Its values are not resolved yet: a placeholder among them is not a
    /// variable.
    fn with_names(&mut self, wanted: &Object) -> Outcome<Object> {
        let mut named = Object::default();
        for (key, value) in wanted.iter() {
            named.set(&self.scene.fill_text(key)?.to_string(), value.clone());
        }
        Ok(named)
    }

    fn compare_text(&mut self, wanted: &str, got: &Json, place: &str) -> Outcome<()> {
        if let Some(name) = placeholder(wanted) {
            let is_right = fits(name, got)?;
            self.expect(is_right, &wanted.into(), got, place);
            return Ok(());
        }
        let wanted = self.scene.fill_text(wanted)?;
        let is_right = match (wanted.as_text(), got.as_text()) {
            (Some(wanted), Some(got)) if is_link(place) => link(wanted) == link(got),
            (Some(wanted), Some(got)) => has_pattern(got, wanted),
            _ => wanted == *got,
        };
        self.expect(is_right, &wanted, got, place);
        Ok(())
    }
}

/// Returns the name in `<name>`.
fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix('<')?.strip_suffix('>')?;
    (!name.contains(['<', '>'])).then_some(name)
}

/// Returns whether a value has the type that a placeholder names.
fn fits(placeholder: &str, got: &Json) -> Outcome<bool> {
    let is_text = |test: fn(&str) -> bool| got.as_text().is_some_and(test);
    Ok(match placeholder {
        "any" => true,
        "id" => got.as_integer().is_some_and(|id| id > 0),
        "int" => got.as_integer().is_some(),
        "string" => is_text(|text| !text.is_empty()),
        "timestamp" => is_text(is_timestamp),
        "jwt" => is_text(is_token),
        "media-url" => is_text(is_media_url),
        "messages" => is_messages(got),
        "object" => got.as_object().is_some(),
        "list" => matches!(got, Json::List(_)),
        other => return Err(format!("there is no placeholder <{other}>")),
    })
}

/// Returns whether a text is RFC 3339 in UTC: with `Z`, and microseconds only if they are not zero.
fn is_timestamp(text: &str) -> bool {
    let length = "2026-01-02T03:04:05Z".len();
    let has_right_length = text.len() == length || text.len() == length + ".000001".len();
    has_right_length && text.ends_with('Z') && DateTime::parse_from_rfc3339(text).is_ok()
}

fn is_token(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() >= 10 && is_url_safe(part))
}

fn is_media_url(text: &str) -> bool {
    text.strip_prefix("/media/cars/car_")
        .and_then(|rest| rest.strip_suffix(".jpg")?.split_once('_'))
        .is_some_and(|(id, secret)| id.parse::<u64>().is_ok() && secret.len() >= 12 && is_url_safe(secret))
}

fn is_url_safe(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Returns whether a value is a list of at least one message, with any text.
fn is_messages(got: &Json) -> bool {
    let is_message = |item: &Json| item.as_text().is_some_and(|text| !text.is_empty());
    matches!(got, Json::List(items) if !items.is_empty() && items.iter().all(is_message))
}

/// Returns whether the value at this path is a link to another page.
fn is_link(place: &str) -> bool {
    matches!(place.rsplit('.').next(), Some("next" | "previous"))
}

/// Splits a link into its path and its query parameters, which may have any order.
fn link(url: &str) -> (&str, Vec<(String, String)>) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parameters.sort();
    (path, parameters)
}

/// Returns whether a text matches the pattern, in which `<any>` stands for any text.
fn has_pattern(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("<any>") else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split("<any>").collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(end)
}

#[test]
fn pattern_matches_its_text_alone() {
    for (text, pattern) in [
        ("abc", "abc"),
        ("abc", "<any>"),
        ("", "<any>"),
        ("abc", "a<any>"),
        ("abc", "<any>c"),
        ("abc", "a<any>c"),
        ("a, Accept, b", "<any>Accept<any>"),
    ] {
        assert!(has_pattern(text, pattern), "{text:?} {pattern:?}");
    }
    for (text, pattern) in [
        ("abc", "ab"),
        ("abc", "b<any>"),
        ("abc", "<any>b"),
        ("ab", "ab<any>b"),
        ("Cookie", "<any>Accept<any>"),
    ] {
        assert!(!has_pattern(text, pattern), "{text:?} {pattern:?}");
    }
}

#[test]
fn placeholder_matches_its_kind_alone() {
    let token = "abcdefghij.abcdefghij.abcdefghi_";
    for (name, right, wrong) in [
        ("id", Json::from(1), Json::from(0)),
        ("int", Json::from(0), Json::from("0")),
        ("string", Json::from("x"), Json::from("")),
        (
            "timestamp",
            Json::from("2026-01-02T03:04:05.000006Z"),
            Json::from("2026-01-02T03:04:05.6Z"),
        ),
        ("jwt", Json::from(token), Json::from("a.b.c")),
        (
            "media-url",
            Json::from("/media/cars/car_7_abcdefghijkl.jpg"),
            Json::from("/media/cars/car_7.jpg"),
        ),
        ("messages", Json::List(vec!["x".into()]), Json::List(Vec::new())),
        ("object", Json::Object(Object::default()), Json::Null),
        ("list", Json::List(Vec::new()), Json::Null),
    ] {
        assert_eq!(fits(name, &right), Ok(true), "{name}");
        assert_eq!(fits(name, &wrong), Ok(false), "{name}");
    }
}
