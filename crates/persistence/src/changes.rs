//! The stored form of the changes in an audit log entry: JSON, `[["mileage", 5, 900]]`. A hidden value is `{"hidden":
//! true}`, and a long text `{"excerpt": "…", "length": 10000, "sha256": "…"}`.

use mycars_application::ports::BoxError;
use mycars_domain::{
    Field,
    audit::{Change, Value},
};
use serde_json::{Value as Json, json};

pub(crate) fn write(changes: &[Change]) -> String {
    let changes = changes.iter().map(|change| {
        json!([
            change.field.as_str(),
            to_json(&change.before),
            to_json(&change.after)
        ])
    });
    Json::Array(changes.collect()).to_string()
}

pub(crate) fn read(text: &str) -> Result<Vec<Change>, BoxError> {
    let changes: Vec<(String, Json, Json)> = serde_json::from_str(text)?;
    changes
        .into_iter()
        .map(|(known, before, after)| {
            let field = Field::named(&known).ok_or_else(|| format!("there is no field `{known}`"))?;
            Ok(Change {
                field,
                before: from_json(before)?,
                after: from_json(after)?,
            })
        })
        .collect()
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Nothing => Json::Null,
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
        Value::Flag(flag) => json!(flag),
        Value::Excerpt { text, length, sha256 } => {
            json!({"excerpt": text, "length": length, "sha256": sha256})
        }
        Value::Hidden => json!({"hidden": true}),
    }
}

fn from_json(json: Json) -> Result<Value, BoxError> {
    match json {
        Json::Null => Ok(Value::Nothing),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Bool(flag) => Ok(Value::Flag(flag)),
        Json::Number(number) => Ok(Value::Number(number.as_i64().ok_or("not a whole number")?)),
        Json::Object(mut parts) => Ok(match parts.remove("excerpt") {
            Some(excerpt) => Value::Excerpt {
                text: serde_json::from_value(excerpt)?,
                length: serde_json::from_value(parts.remove("length").unwrap_or_default())?,
                sha256: serde_json::from_value(parts.remove("sha256").unwrap_or_default())?,
            },
            None => Value::Hidden,
        }),
        Json::Array(_) => Err("a list is no value".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_every_field_and_value_round_trip() {
        let values = [
            Value::Nothing,
            Value::Text("ö \"1\"".into()),
            Value::Number(i64::MAX),
            Value::Flag(false),
            Value::Excerpt {
                text: "{\"hidden\"".into(),
                length: u64::MAX,
                sha256: "ab".into(),
            },
            Value::Hidden,
        ];
        let changes: Vec<Change> = Field::ALL
            .into_iter()
            .zip(values.iter().cycle())
            .map(|(field, value)| Change {
                field,
                before: Value::Nothing,
                after: value.clone(),
            })
            .collect();
        assert_eq!(read(&write(&changes)).unwrap(), changes);
    }

    #[test]
    fn malformed_changes_are_an_error() {
        for text in [
            "",
            "{}",
            "[[\"wheel\", 1, 2]]",
            "[[\"year\", [], 2]]",
            "[[\"year\", 1.5, 2]]",
            "[[\"notes\", {\"excerpt\": \"a\"}, 2]]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
