//! Reading fields by their description, with the coercions of Django REST framework (wire contract, section 1).

use std::{cell::RefCell, collections::HashMap};

use mycars_application::{Input, Secret};
use mycars_domain::{Field, Violation, strip};
use serde_json::{error::Category, value::RawValue};

use super::{
    File, Part,
    number::{as_python_text, parse_integer, parse_json_integer, parse_typed_integer},
};
use crate::{
    api::fields::{FieldKind, FieldSpec},
    error::ApiError,
    request::csrf::CSRF_FIELD,
};

/// A body with fields that are read one by one. Fields that no handler reads are ignored.
pub(crate) struct Form<'a> {
    specs: &'static [FieldSpec],
    source: Source<'a>,
}

enum Source<'a> {
    /// Raw JSON of each value; of several with one name the last.
    Json(HashMap<String, &'a RawValue>),
    /// A row of a table: the names of its columns, and its cells.
    Row {
        columns: &'a [String],
        cells: &'a [Option<String>],
    },
    /// An HTML form, in which all values are text.
    Html {
        parts: &'a [(String, Part)],
        is_page_form: bool,
    },
}

/// A value before it is converted to the type of a field.
enum Raw<'a> {
    Absent,
    Null,
    Text(String),
    /// A number, as JSON writes it.
    Number(&'a str),
    Boolean(bool),
    /// A list or an object, as JSON writes it.
    Other(&'a str),
    File(&'a RefCell<File>),
    /// Text with an unpaired surrogate.
    Surrogate(u16),
    /// Text that is not valid in its encoding.
    Undecodable(Violation),
}

impl<'a> Form<'a> {
    /// Parses a JSON body, which must be an object.
    pub(crate) fn json(specs: &'static [FieldSpec], bytes: &'a [u8]) -> Result<Self, ApiError> {
        let whole: &RawValue = serde_json::from_slice(bytes).map_err(|error| syntax_error(&error))?;
        let kind = match whole.get().as_bytes() {
            [b'{', ..] => {
                let fields = serde_json::from_str(whole.get()).map_err(|error| syntax_error(&error))?;
                return Ok(Self {
                    specs,
                    source: Source::Json(fields),
                });
            }
            [b'n', ..] => return Err(ApiError::NonField("No data provided".into())),
            [b'[', ..] => "list",
            [b'"', ..] => "str",
            [b't' | b'f', ..] => "bool",
            number if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => "float",
            _ => "int",
        };
        Err(ApiError::NonField(format!(
            "Invalid data. Expected a dictionary, but got {kind}."
        )))
    }

    /// Reads an HTML form. In a form of the server's own pages, blank means null if the field may be null: users empty
    /// a field to remove its value. Forms of programs are read as they are.
    pub(super) fn html(specs: &'static [FieldSpec], parts: &'a [(String, Part)]) -> Self {
        let is_page_form = parts.iter().any(|(name, _)| name == CSRF_FIELD);
        Self {
            specs,
            source: Source::Html { parts, is_page_form },
        }
    }

    /// Reads a row of a table that was made in a spreadsheet: an empty cell is null or, where null is not allowed, as in
    /// an HTML form.
    pub(crate) fn row(
        specs: &'static [FieldSpec],
        columns: &'a [String],
        cells: &'a [Option<String>],
    ) -> Self {
        Self {
            specs,
            source: Source::Row { columns, cells },
        }
    }

    /// Returns the names in JSON or a row that no field has.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let is_unknown = |name: &&str| self.specs.iter().all(|spec| spec.name != *name);
        match &self.source {
            Source::Json(fields) => fields.keys().map(String::as_str).filter(is_unknown).collect(),
            Source::Row { columns, .. } => columns.iter().map(String::as_str).filter(is_unknown).collect(),
            Source::Html { .. } => Vec::new(),
        }
    }

    /// Reads the text of a password field.
    pub(crate) fn secret(&self, field: Field) -> Input<Secret> {
        self.text(field).map(Secret::from)
    }

    /// Reads the text of a field. Numbers become text; booleans, lists and objects are invalid.
    pub(crate) fn text(&self, field: Field) -> Input<String> {
        let Some(spec) = self.spec(field) else {
            return Input::Absent;
        };
        match (self.raw(spec), spec.kind) {
            (Raw::Absent, _) => Input::Absent,
            (Raw::Null, _) => Input::Null,
            (Raw::Text(text), _) => Input::Given(text),
            (Raw::Number(json), _) => Input::Given(as_python_text(json)),
            (Raw::Surrogate(code), _) => Input::Invalid(Violation::SurrogateCharacter(code)),
            (Raw::Undecodable(violation), _) => Input::Invalid(violation),
            (Raw::Boolean(value), FieldKind::Choice(_)) => {
                Input::Given(if value { "True" } else { "False" }.to_owned())
            }
            (Raw::Other(json), FieldKind::Choice(_)) => {
                Input::Invalid(Violation::NotAChoice(json.to_owned()))
            }
            (Raw::Boolean(_) | Raw::Other(_) | Raw::File(_), _) => Input::Invalid(Violation::NotAString),
        }
    }

    /// Reads the whole number of a field. In a form of the server's own pages and in a row of a table, it is read as users
    /// type numbers, otherwise as by Django REST framework.
    pub(crate) fn integer(&self, field: Field) -> Input<i64> {
        let Some(spec) = self.spec(field) else {
            return Input::Absent;
        };
        let number = match self.raw(spec) {
            Raw::Absent => return Input::Absent,
            Raw::Null => return Input::Null,
            Raw::Text(text) if self.is_typed() => parse_typed_integer(&text),
            Raw::Text(text) => parse_integer(&text),
            Raw::Number(json) => parse_json_integer(&as_python_text(json)),
            Raw::Undecodable(violation) => Err(violation),
            Raw::Boolean(_) | Raw::Other(_) | Raw::File(_) | Raw::Surrogate(_) => {
                Err(Violation::NotAnInteger)
            }
        };
        match number {
            Ok(number) => Input::Given(number),
            Err(violation) => Input::Invalid(violation),
        }
    }

    /// Reads the boolean of a field, in all notations of Django REST framework.
    pub(crate) fn boolean(&self, field: Field) -> Input<bool> {
        let Some(spec) = self.spec(field) else {
            return Input::Absent;
        };
        let text = match self.raw(spec) {
            Raw::Absent => return Input::Absent,
            Raw::Null => return Input::Null,
            Raw::Boolean(value) => return Input::Given(value),
            Raw::Text(text) => strip(&text).to_ascii_lowercase(),
            Raw::Number(json) => as_python_text(json),
            Raw::Undecodable(violation) => return Input::Invalid(violation),
            Raw::Other(_) | Raw::File(_) | Raw::Surrogate(_) => {
                return Input::Invalid(Violation::NotABoolean);
            }
        };
        match text.as_str() {
            "t" | "y" | "yes" | "true" | "on" | "1" | "1.0" => Input::Given(true),
            "f" | "n" | "no" | "false" | "off" | "0" | "0.0" => Input::Given(false),
            "null" | "" => Input::Null,
            _ => Input::Invalid(Violation::NotABoolean),
        }
    }

    /// Returns the file of a field.
    pub(crate) fn file(&self, field: Field) -> Input<&RefCell<File>> {
        let Some(spec) = self.spec(field) else {
            return Input::Absent;
        };
        match self.raw(spec) {
            Raw::Absent => Input::Absent,
            Raw::Null => Input::Null,
            Raw::File(file) => Input::Given(file),
            _ => Input::Invalid(Violation::NotAFile),
        }
    }

    /// Returns the description of a field; a field without one is not read.
    fn spec(&self, field: Field) -> Option<&'static FieldSpec> {
        let spec = self.specs.iter().find(|spec| spec.field == Some(field));
        debug_assert!(spec.is_some(), "{field:?} is not described");
        spec
    }

    /// Returns whether users typed the numbers.
    fn is_typed(&self) -> bool {
        matches!(
            self.source,
            Source::Row { .. }
                | Source::Html {
                    is_page_form: true,
                    ..
                }
        )
    }

    fn raw(&self, spec: &FieldSpec) -> Raw<'_> {
        match &self.source {
            Source::Json(fields) => fields
                .get(spec.name)
                .map_or(Raw::Absent, |value| raw_json(value.get())),
            Source::Row { columns, cells } => raw_cell(columns, cells, spec),
            Source::Html { parts, is_page_form } => match raw_html(parts, spec) {
                Raw::Text(text) if *is_page_form && spec.nullable && strip(&text).is_empty() => Raw::Null,
                // Browsers send other line breaks than the field had before.
                Raw::Text(text) if *is_page_form => Raw::Text(text.replace("\r\n", "\n")),
                raw => raw,
            },
        }
    }
}

fn raw_json(json: &str) -> Raw<'_> {
    match json.as_bytes() {
        [b'n', ..] => Raw::Null,
        [b't', ..] => Raw::Boolean(true),
        [b'f', ..] => Raw::Boolean(false),
        [b'[' | b'{', ..] => Raw::Other(json),
        [b'"', ..] => match serde_json::from_str(json) {
            Ok(text) => Raw::Text(text),
            // The text is well-formed JSON, so that only an unpaired surrogate can be wrong.
            Err(_) => Raw::Surrogate(lone_surrogate(json)),
        },
        _ => Raw::Number(json),
    }
}

fn raw_cell<'a>(columns: &[String], cells: &[Option<String>], spec: &FieldSpec) -> Raw<'a> {
    let place = columns.iter().position(|name| name == spec.name);
    match place.and_then(|place| cells.get(place)) {
        Some(Some(text)) => Raw::Text(text.clone()),
        Some(None) if spec.nullable => Raw::Null,
        Some(None) if spec.required => Raw::Text(String::new()),
        None | Some(None) => Raw::Absent,
    }
}

/// Returns the last value under a name. Empty text in a form counts as left out if it cannot be a value.
fn raw_html<'a>(parts: &'a [(String, Part)], spec: &FieldSpec) -> Raw<'a> {
    match parts.iter().rev().find(|(name, _)| name == spec.name) {
        None => Raw::Absent,
        Some((_, Part::File(file))) => Raw::File(file),
        Some((_, Part::Undecodable(error))) => Raw::Undecodable(error.violation()),
        Some((_, Part::Text(text))) if text.is_empty() && !spec.may_be_blank && spec.nullable => Raw::Null,
        Some((_, Part::Text(text))) if text.is_empty() && !spec.may_be_blank && !spec.required => Raw::Absent,
        Some((_, Part::Text(text))) => Raw::Text(text.clone()),
    }
}

/// Returns the first unpaired surrogate in a JSON string.
fn lone_surrogate(json: &str) -> u16 {
    let units = code_units(json);
    char::decode_utf16(units)
        .find_map(Result::err)
        .map_or(0xd800, |error| error.unpaired_surrogate())
}

/// Returns the UTF-16 code units of a JSON string: those of `\u` escapes, and a placeholder for anything else.
fn code_units(json: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut rest = json.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        units.push(match escaped {
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).unwrap_or(0)
            }
            _ => 0,
        });
    }
    units
}

/// Returns the error of a body that is not JSON, with a message of this project.
fn syntax_error(error: &serde_json::Error) -> ApiError {
    let what = match error.classify() {
        Category::Eof => "the body ends too early",
        Category::Syntax | Category::Data | Category::Io => "the body is not valid JSON",
    };
    let (line, column) = (error.line(), error.column());
    ApiError::Malformed(format!("JSON parse error - {what}: line {line} column {column}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::body::charset::Charset;

    const SPECS: &[FieldSpec] = &[
        FieldSpec::required(Field::Brand, "Brand", FieldKind::Text),
        FieldSpec::optional(Field::Color, "Color", FieldKind::Text).nullable(),
        FieldSpec::optional(Field::Mileage, "Mileage", FieldKind::Integer),
        FieldSpec::optional(Field::Role, "Role", FieldKind::Choice(&[("client", "Client")])),
        FieldSpec::optional(Field::IsActive, "Active", FieldKind::Boolean),
    ];

    fn json(body: &str) -> Form<'_> {
        Form::json(SPECS, body.as_bytes()).unwrap()
    }

    fn refused(body: &[u8]) -> String {
        match Form::json(SPECS, body) {
            Err(ApiError::NonField(message) | ApiError::Malformed(message)) => message,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("must be refused: {body:?}"),
        }
    }

    fn html(parts: &[(&str, &str)]) -> Vec<(String, Part)> {
        parts
            .iter()
            .map(|(name, text)| ((*name).into(), Part::Text((*text).into())))
            .collect()
    }

    #[test]
    fn only_numbers_become_text() {
        let brand = |body: &str| json(body).text(Field::Brand);
        assert_eq!(brand(r#"{"brand": "VW"}"#), "VW".into());
        assert_eq!(brand(r#"{"brand": 208}"#), "208".into());
        assert_eq!(brand(r#"{"brand": 3.5}"#), "3.5".into());
        assert_eq!(brand(r#"{"brand": null}"#), Input::Null);
        assert_eq!(brand("{}"), Input::Absent);
        for wrong in ["true", "[\"x\"]", "{\"a\": 1}"] {
            let body = format!("{{\"brand\": {wrong}}}");
            assert_eq!(brand(&body), Input::Invalid(Violation::NotAString), "{wrong}");
        }
    }

    #[test]
    fn texts_and_numbers_become_integers_and_booleans_do_not() {
        let mileage = |body: &str| json(body).integer(Field::Mileage);
        assert_eq!(mileage(r#"{"mileage": 12}"#), Input::Given(12));
        assert_eq!(mileage(r#"{"mileage": 12.0}"#), Input::Given(12));
        assert_eq!(mileage(r#"{"mileage": 1e3}"#), Input::Given(1000));
        assert_eq!(mileage(r#"{"mileage": " 12 "}"#), Input::Given(12));
        assert_eq!(mileage(r#"{"mileage": null}"#), Input::Null);
        assert_eq!(
            mileage(r#"{"mileage": 1000000000000000000000000}"#),
            Input::Given(i64::MAX)
        );
        for wrong in ["true", "12.5", "\"\"", "\"1e3\"", "[]", "{}", "1e30"] {
            let body = format!("{{\"mileage\": {wrong}}}");
            assert_eq!(mileage(&body), Input::Invalid(Violation::NotAnInteger), "{wrong}");
        }
    }

    /// Results of Django REST framework 3.16 on Python 3.11: the JSON of a value, the result of an `IntegerField` (`-`
    /// if it is invalid), and that of a `CharField` (`=` for the same JSON, or the code of an error).
    const DRF: &str = include_str!("drf.tsv");

    #[test]
    fn integers_and_texts_are_read_as_by_drf() {
        let mut count = 0;
        for line in DRF.lines() {
            let [value, integer, text] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("must have three columns: {line}");
            };
            let body = format!("{{\"brand\": {value}, \"mileage\": {value}}}");
            let form = json(&body);
            let mileage = match form.integer(Field::Mileage) {
                Input::Given(number) => number.to_string(),
                Input::Invalid(Violation::NotAnInteger) => "-".to_owned(),
                other => panic!("{value}: {other:?}"),
            };
            assert_eq!(mileage, integer, "{value}");
            let brand = form.text(Field::Brand);
            match serde_json::from_str::<String>(if text == "=" { value } else { text }) {
                Ok(text) => assert_eq!(strip(brand.given().unwrap()), text, "{value}"),
                Err(_) if text == "invalid" => assert_eq!(brand, Input::Invalid(Violation::NotAString)),
                Err(_) => {}
            }
            count += 1;
        }
        assert!(count > 400);
    }

    #[test]
    fn numbers_in_page_forms_are_read_as_users_type_them() {
        let mileage = |typed: &str, is_page_form: bool| {
            let mut parts = html(&[("mileage", typed)]);
            parts.extend(
                html(&[(CSRF_FIELD, "token")])
                    .into_iter()
                    .filter(|_| is_page_form),
            );
            Form::html(SPECS, &parts).integer(Field::Mileage)
        };
        assert_eq!(mileage("125 000", true), Input::Given(125_000));
        assert_eq!(
            mileage("125.000", true),
            Input::Invalid(Violation::AmbiguousNumber)
        );
        assert_eq!(mileage("125.000", false), Input::Given(125));
        assert_eq!(mileage("125 000", false), Input::Invalid(Violation::NotAnInteger));
    }

    #[test]
    fn invalid_choice_is_quoted() {
        let role = |body: &str| json(body).text(Field::Role);
        assert_eq!(role(r#"{"role": true}"#), "True".into());
        assert_eq!(role(r#"{"role": 1}"#), "1".into());
        assert_eq!(
            role(r#"{"role": [1]}"#),
            Input::Invalid(Violation::NotAChoice("[1]".into()))
        );
    }

    #[test]
    fn last_of_several_values_with_one_name_counts() {
        assert_eq!(
            json(r#"{"brand": "a", "brand": "b"}"#).text(Field::Brand),
            "b".into()
        );
        let parts = html(&[("brand", "a"), ("brand", "b")]);
        assert_eq!(Form::html(SPECS, &parts).text(Field::Brand), "b".into());
    }

    #[test]
    fn unpaired_surrogate_is_reported() {
        let brand = |body: &str| json(body).text(Field::Brand);
        assert_eq!(brand(r#"{"brand": "\ud83d\ude97"}"#), "🚗".into());
        for (body, code) in [
            (r#"{"brand": "a\ud800b"}"#, 0xd800),
            (r#"{"brand": "\ude97"}"#, 0xde97),
            (r#"{"brand": "\ud83d\ude97\udbff"}"#, 0xdbff),
        ] {
            assert_eq!(
                brand(body),
                Input::Invalid(Violation::SurrogateCharacter(code)),
                "{body}"
            );
        }
    }

    #[test]
    fn body_that_is_not_an_object_is_refused() {
        for (body, kind) in [
            ("[]", "list"),
            ("\"x\"", "str"),
            (" 1", "int"),
            ("1.5", "float"),
            ("true", "bool"),
        ] {
            let message = format!("Invalid data. Expected a dictionary, but got {kind}.");
            assert_eq!(refused(body.as_bytes()), message);
        }
        assert_eq!(refused(b" null "), "No data provided");
    }

    #[test]
    fn invalid_json_is_refused_with_own_message() {
        assert_eq!(
            refused(b"{\"brand\": "),
            "JSON parse error - the body ends too early: line 1 column 10"
        );
        for body in [
            &b"{'brand': 1}"[..],
            b"{\"year\": NaN}",
            b"{\"a\": \"\xff\"}",
            b"{} {}",
        ] {
            let message = refused(body);
            assert!(
                message.starts_with("JSON parse error - the body is not valid JSON: "),
                "{message}"
            );
        }
        assert!(refused(b" \n").starts_with("JSON parse error - "));
    }

    #[test]
    fn empty_form_value_is_absent_unless_it_can_be_text() {
        let parts = html(&[("brand", ""), ("color", ""), ("mileage", ""), ("role", "")]);
        let form = Form::html(SPECS, &parts);
        assert_eq!(
            form.text(Field::Brand),
            "".into(),
            "it is required, so that it is blank"
        );
        assert_eq!(form.text(Field::Color), "".into(), "it may be blank");
        assert_eq!(form.integer(Field::Mileage), Input::Absent);
        assert_eq!(form.text(Field::Role), Input::Absent);
    }

    #[test]
    fn blank_in_page_form_is_null_if_nullable() {
        let parts = html(&[("csrfmiddlewaretoken", "x"), ("brand", ""), ("color", " ")]);
        let form = Form::html(SPECS, &parts);
        assert_eq!(form.text(Field::Color), Input::Null);
        assert_eq!(form.text(Field::Brand), "".into());
    }

    #[test]
    fn file_is_not_text() {
        let file = RefCell::new(File {
            content: tempfile::SpooledTempFile::new(0),
            size: 0,
        });
        let parts = [("brand".to_owned(), Part::File(file))];
        let form = Form::html(SPECS, &parts);
        assert_eq!(form.text(Field::Brand), Input::Invalid(Violation::NotAString));
    }

    #[test]
    fn undecodable_text_is_invalid_in_every_field() {
        let violation = || Violation::Undecodable("UTF-8".into());
        let names = [
            "brand",
            "color",
            "mileage",
            "role",
            "is_active",
            "csrfmiddlewaretoken",
        ];
        let parts = names.map(|name| {
            let error = Charset::DEFAULT.decode(b"\xff".to_vec()).unwrap_err();
            (name.to_owned(), Part::Undecodable(error))
        });
        let form = Form::html(SPECS, &parts);
        for field in [Field::Brand, Field::Color, Field::Role] {
            assert_eq!(form.text(field), Input::Invalid(violation()), "{field:?}");
        }
        assert_eq!(form.integer(Field::Mileage), Input::Invalid(violation()));
        assert_eq!(form.boolean(Field::IsActive), Input::Invalid(violation()));
        assert!(matches!(
            form.file(Field::Brand),
            Input::Invalid(Violation::NotAFile)
        ));
    }

    #[test]
    fn booleans_are_read_in_all_notations_of_drf() {
        let active = |value: &str| json(&format!("{{\"is_active\": {value}}}")).boolean(Field::IsActive);
        for yes in ["true", "1", "1.0", "\"on\"", "\" Yes \"", "\"T\""] {
            assert_eq!(active(yes), Input::Given(true), "{yes}");
        }
        for no in ["false", "0", "\"off\"", "\"N\""] {
            assert_eq!(active(no), Input::Given(false), "{no}");
        }
        for null in ["null", "\"\"", "\"null\""] {
            assert_eq!(active(null), Input::Null, "{null}");
        }
        for wrong in ["\"maybe\"", "2", "[]", "{}"] {
            assert_eq!(active(wrong), Input::Invalid(Violation::NotABoolean), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::json(SPECS, &bytes) {
                form.text(Field::Brand);
                form.integer(Field::Mileage);
                form.boolean(Field::IsActive);
            }
        }

        #[test]
        fn arbitrary_escapes_do_not_panic(escapes in "(\\\\u[0-9a-fA-F]{4}|\\\\[nt\"\\\\/]|[a-z🚗]){0,20}") {
            let body = format!("{{\"brand\": \"{escapes}\", \"mileage\": \"{escapes}\"}}");
            let form = Form::json(SPECS, body.as_bytes()).unwrap();
            form.text(Field::Brand);
            form.integer(Field::Mileage);
        }
    }
}
