//! Responses to OPTIONS: Django REST framework's metadata, made from the field descriptions.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::{
    api::{
        endpoint::{Endpoint, Method},
        fields::{FieldKind, FieldSpec},
    },
    request::negotiation::{RENDERERS, RENDERERS_OF_FILES},
};

/// Name, description, media types and writable fields of an endpoint.
#[derive(Serialize)]
pub(crate) struct Metadata {
    name: &'static str,
    description: &'static str,
    renders: [&'static str; RENDERERS.len()],
    parses: [&'static str; 3],
    #[serde(skip_serializing_if = "Actions::is_empty")]
    actions: Actions,
}

impl Metadata {
    /// Returns the metadata of an endpoint. PUT is described only if `is_there`: if the object that it would replace
    /// exists.
    pub(crate) fn new(endpoint: &'static Endpoint, is_there: bool) -> Self {
        let methods = [Method::Put, Method::Post]
            .into_iter()
            .filter(|method| is_there || *method != Method::Put);
        let described = methods.filter_map(|method| {
            let body = endpoint.operation(method)?.body?;
            Some((method, body.fields))
        });
        let renderers = endpoint.file().map_or(&RENDERERS, |_| &RENDERERS_OF_FILES);
        Self {
            name: endpoint.name,
            description: endpoint.description,
            renders: renderers.each_ref().map(|renderer| renderer.media_type),
            parses: [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
            ],
            actions: Actions(described.collect()),
        }
    }
}

struct Actions(Vec<(Method, &'static [FieldSpec])>);

impl Actions {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(method, fields)| (method.as_str(), Fields(fields))),
        )
    }
}

struct Fields(&'static [FieldSpec]);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|spec| (spec.name, Described(spec))))
    }
}

struct Described(&'static FieldSpec);

impl Serialize for Described {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spec = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", type_name(spec.kind))?;
        map.serialize_entry("required", &spec.required)?;
        map.serialize_entry("read_only", &spec.is_read_only())?;
        map.serialize_entry("label", spec.label)?;
        if !spec.help.is_empty() {
            map.serialize_entry("help_text", spec.help)?;
        }
        if let Some(max_length) = spec.max_length {
            map.serialize_entry("max_length", &max_length)?;
        }
        if let Some(min) = spec.min {
            map.serialize_entry("min_value", &min)?;
        }
        if let Some(max) = spec.max {
            map.serialize_entry("max_value", &max)?;
        }
        if let FieldKind::Choice(choices) = spec.kind
            && !spec.is_read_only()
        {
            let choices: Vec<Choice> = choices
                .iter()
                .map(|&(value, display_name)| Choice { value, display_name })
                .collect();
            map.serialize_entry("choices", &choices)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    display_name: &'static str,
}

/// Returns Django REST framework's name of a type of field.
fn type_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text | FieldKind::Password => "string",
        FieldKind::Email => "email",
        FieldKind::Integer => "integer",
        FieldKind::Choice(_) => "choice",
        FieldKind::DateTime => "datetime",
        FieldKind::Boolean => "boolean",
        FieldKind::Image | FieldKind::ImageUpload => "image upload",
        FieldKind::FileUpload => "file upload",
        FieldKind::Code(_)
        | FieldKind::Reference
        | FieldKind::Computed
        | FieldKind::Any
        | FieldKind::Texts
        | FieldKind::List(_) => "field",
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::Field;

    use super::*;

    fn described(spec: FieldSpec) -> String {
        // Descriptions are static, so that of the test is leaked.
        serde_json::to_string(&Described(Box::leak(Box::new(spec)))).unwrap()
    }

    #[test]
    fn field_metadata_is_in_drf_order() {
        let spec = FieldSpec::required(Field::Brand, "Brand", FieldKind::Text)
            .at_most(100)
            .help("The manufacturer.");
        assert_eq!(
            described(spec),
            r#"{"type":"string","required":true,"read_only":false,"label":"Brand","help_text":"The manufacturer.","max_length":100}"#
        );
    }

    #[test]
    fn choices_of_read_only_fields_are_not_listed() {
        let role = FieldKind::Choice(&[("client", "Client")]);
        assert_eq!(
            described(FieldSpec::optional(Field::Role, "Role", role)),
            r#"{"type":"choice","required":false,"read_only":false,"label":"Role","choices":[{"value":"client","display_name":"Client"}]}"#
        );
        assert_eq!(
            described(FieldSpec::read_only("role", "Role", role)),
            r#"{"type":"choice","required":false,"read_only":true,"label":"Role"}"#
        );
    }
}
