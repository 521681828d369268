//! The state of a running case: its users, the values kept from responses, and the names in braces for both.

use std::collections::BTreeMap;

use super::{
    Outcome,
    case::Case,
    json::{Json, Object},
    tokens,
    world::World,
};
use crate::support::{Answer, Request, accounts};

pub(super) struct Scene<'w> {
    pub(super) world: &'w World<'w>,
    case: &'w Case,
    names: BTreeMap<String, Json>,
    people: BTreeMap<String, Object>,
}

impl<'w> Scene<'w> {
    /// Returns the state before the first step, with the users of the case.
    pub(super) fn of(world: &'w World<'w>, case: &'w Case) -> Outcome<Self> {
        let names = [
            ("rnd", world.word(8).into()),
            ("base", world.base().into()),
            ("this_year", world.year.into()),
            ("next_year", (world.year + 1).into()),
            ("year_after_next", (world.year + 2).into()),
        ];
        let mut scene = Self {
            world,
            case,
            names: names.map(|(name, value)| (name.to_owned(), value)).into(),
            people: [("admin".to_owned(), world.admin.clone())].into(),
        };
        for (name, wanted) in case.users.iter() {
            let person = scene.register(wanted)?;
            scene.people.insert(name.to_owned(), person);
        }
        Ok(scene)
    }

    /// Creates a user: by registration or, if only an administrator can set the fields, by an administrator.
    fn register(&mut self, wanted: &Json) -> Outcome<Object> {
        let mut person = Object::default();
        person.set("username", format!("u{}", self.world.word(10)));
        person.set("first_name", "Ann");
        person.set("last_name", "Lee");
        person.set("password", format!("Quartz-{}-71", self.world.word(8)));
        for (key, value) in self.fill(wanted)?.as_object().into_iter().flat_map(Object::iter) {
            person.set(key, value.clone());
        }
        if person.get("email").is_none() {
            person.set("email", format!("{}@example.com", text_of(&person, "username")?));
        }
        let mut payload = person.clone();
        payload.set("password2", text_of(&person, "password")?);
        let needs_admin = person.get("role").is_some() || person.get("is_active").is_some();
        let request = if needs_admin {
            let access = text_of(&self.world.admin, "access")?;
            Request::post("/api/admin/users/", &payload).bearer(&access)
        } else {
            Request::post("/api/register/", &payload)
        };
        let made = self.world.call(&request)?;
        person.set("id", made.get("id").cloned().unwrap_or(Json::Null));
        Ok(person)
    }

    /// Returns the access token of a user. The login happens at the first use, because `last_login` is
    /// checked.
    pub(super) fn access_of(&mut self, name: &str) -> Outcome<String> {
        self.field_of(name, "access").map(|access| access.to_string())
    }

    fn log_in(&mut self, name: &str) -> Outcome<()> {
        let person = self.person(name)?;
        let login = accounts::login(&text_of(person, "username")?, &text_of(person, "password")?);
        let tokens = self.world.call(&login)?;
        let person = self.person(name)?;
        for token in ["access", "refresh"] {
            person.set(token, text_of(&tokens, token)?);
        }
        Ok(())
    }

    fn person(&mut self, name: &str) -> Outcome<&mut Object> {
        self.people
            .get_mut(name)
            .ok_or_else(|| format!("there is no user {name}"))
    }

    fn field_of(&mut self, name: &str, field: &str) -> Outcome<Json> {
        let is_token = matches!(field, "access" | "refresh");
        if is_token && self.person(name)?.get(field).is_none() {
            self.log_in(name)?;
        }
        let value = self.person(name)?.get(field).cloned();
        value.ok_or_else(|| format!("{name} has no {field}"))
    }

    /// Stores parts of a response under names, for later steps.
    pub(super) fn keep(&mut self, wanted: &Object, answer: &Answer) -> Outcome<()> {
        for (name, key) in wanted.iter() {
            let body: Object = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            let value = key.as_text().and_then(|key| body.get(key));
            let value = value.ok_or_else(|| format!("there is no {key} to keep"))?;
            self.names.insert(name.to_owned(), value.clone());
        }
        Ok(())
    }

    /// Returns the value with all names replaced.
    pub(super) fn fill(&mut self, value: &Json) -> Outcome<Json> {
        Ok(match value {
            Json::Text(text) => self.fill_text(text)?,
            Json::List(items) => {
                Json::List(items.iter().map(|item| self.fill(item)).collect::<Outcome<_>>()?)
            }
            Json::Object(object) => Json::Object(self.fill_object(object)?),
            other => other.clone(),
        })
    }

    pub(super) fn fill_object(&mut self, object: &Object) -> Outcome<Object> {
        let mut filled = Object::default();
        for (key, value) in object.iter() {
            let key = self.fill_text(key)?.to_string();
            filled.set(&key, self.fill(value)?);
        }
        Ok(filled)
    }

    /// Returns the text with all names replaced. A text that is one name becomes its value, of any type.
    pub(super) fn fill_text(&mut self, text: &str) -> Outcome<Json> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            filled.push_str(&rest[..brace]);
            rest = &rest[brace..];
            let Some(name) = name_at_start(rest) else {
                filled.push('{');
                rest = &rest[1..];
                continue;
            };
            let value = self.look_up(name)?;
            rest = &rest[name.len() + 2..];
            if name.len() + 2 == text.len() {
                return Ok(value);
            }
            filled.push_str(&value.to_string());
        }
        filled.push_str(rest);
        Ok(filled.into())
    }

    fn look_up(&mut self, name: &str) -> Outcome<Json> {
        let Some((name, filter)) = name.split_once('|') else {
            return self.value_of(name);
        };
        let text = self.value_of(name)?.to_string();
        Ok(match filter {
            "lower" => text.to_lowercase(),
            "upper" => text.to_uppercase(),
            "text" => text,
            other => return Err(format!("there is no filter |{other}")),
        }
        .into())
    }

    fn value_of(&mut self, name: &str) -> Outcome<Json> {
        if let Some((text, times)) = name.strip_prefix("repeat:").and_then(|rest| rest.split_once(':')) {
            let times = times.parse().map_err(|_| format!("{name} says no number"))?;
            return Ok(text.repeat(times).into());
        }
        if let Some(token) = name.strip_prefix("jwt:") {
            return self.craft(token);
        }
        if let Some(value) = self.names.get(name) {
            return Ok(value.clone());
        }
        if let Some((person, field)) = name.split_once('.') {
            return self.field_of(person, field);
        }
        let fresh = self.fresh(name)?;
        self.names.insert(name.to_owned(), fresh.clone());
        Ok(fresh)
    }

    /// Creates the value of a name at its first use.
    fn fresh(&self, name: &str) -> Outcome<Json> {
        match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "plate" => Ok(format!("K{}", self.world.word(8).to_uppercase()).into()),
            "new_user" => Ok(format!("n{}", self.world.word(10)).into()),
            _ => Err(format!(
                "nothing is known as {name} (did the step that keeps it fail?)"
            )),
        }
    }

    fn craft(&mut self, name: &str) -> Outcome<Json> {
        let recipe = self
            .case
            .jwt
            .get(name)
            .ok_or_else(|| format!("there is no token {name}"))?;
        let recipe = self.fill(recipe)?;
        tokens::craft(&recipe, self.world).map(Json::from)
    }
}

fn text_of(object: &Object, key: &str) -> Outcome<String> {
    object
        .get(key)
        .and_then(Json::as_text)
        .map(str::to_owned)
        .ok_or_else(|| format!("there is no {key}"))
}

/// Returns the name in `{name}` at the start of a text. Braces without a valid name are plain text.
fn name_at_start(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_known_word = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '|'));
    let is_made = ["repeat:", "jwt:"].iter().any(|kind| name.starts_with(kind));
    (is_known_word || is_made).then_some(name)
}
