//! The description of a body's fields: one for each body. Body parsing, OPTIONS metadata, forms and the OpenAPI
//! document are made from it, so that they cannot differ.
//!
//! The domain validates values; a description repeats only its constants.

use mycars_domain::Field;

use crate::messages;

/// A name and fields, for requests and responses: a body has the fields that clients can write, a response those that
/// they can read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Name in the OpenAPI document.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [FieldSpec],
}

impl Schema {
    /// Returns the fields that clients can write.
    pub(crate) fn writable(&self) -> impl Iterator<Item = &'static FieldSpec> + use<> {
        self.fields.iter().filter(|spec| !spec.is_read_only())
    }

    /// Returns the fields in responses: all but secrets and files.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &'static FieldSpec> + use<> {
        let is_shown = |spec: &&FieldSpec| spec.kind != FieldKind::Password && !spec.kind.is_upload();
        self.fields.iter().filter(is_shown)
    }
}

/// The type of a field: how it is parsed, and its name in OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text.
    Text,
    /// Text that is hidden while it is typed.
    Password,
    /// An e-mail address.
    Email,
    /// A whole number.
    Integer,
    /// One of several texts, each with its label.
    Choice(&'static [(&'static str, &'static str)]),
    /// A date and time; read-only.
    DateTime,
    /// True or false.
    Boolean,
    /// A picture, as its path; read-only.
    Image,
    /// An uploaded picture.
    ImageUpload,
    /// An uploaded file of rows.
    FileUpload,
    /// One of several codes; read-only.
    Code(&'static [&'static str]),
    /// The id of another object; read-only.
    Reference,
    /// Computed text; read-only.
    Computed,
    /// A value of any field; read-only.
    Any,
    /// A list of texts; read-only.
    Texts,
    /// A list of objects; read-only.
    List(&'static Schema),
}

impl FieldKind {
    /// Returns whether the value is an uploaded file.
    pub(crate) const fn is_upload(self) -> bool {
        matches!(self, Self::ImageUpload | Self::FileUpload)
    }
}

/// The description of one field. Made by the constructors and the methods that refine it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent, and Django REST framework's own"
)]
pub(crate) struct FieldSpec {
    pub(crate) name: &'static str,
    /// The field of the domain; `None` for read-only fields.
    pub(crate) field: Option<Field>,
    pub(crate) label: &'static str,
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) may_be_blank: bool,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    /// Regular expression that no blank text matches, for clients that validate before they send. The domain decides.
    pub(crate) pattern: Option<&'static str>,
    pub(crate) min: Option<i32>,
    pub(crate) max: Option<i32>,
    pub(crate) help: &'static str,
    /// A valid example as text, for documents only.
    pub(crate) example: Option<&'static str>,
    /// The default in a new object as text, for documents only.
    pub(crate) default: Option<&'static str>,
    /// Whether responses may leave the field out.
    pub(crate) may_be_missing: bool,
}

impl FieldSpec {
    /// Creates a field that is required, not null and not blank.
    pub(crate) const fn required(field: Field, label: &'static str, kind: FieldKind) -> Self {
        Self {
            name: messages::name(field),
            field: Some(field),
            label,
            kind,
            required: true,
            nullable: false,
            may_be_blank: false,
            min_length: None,
            max_length: None,
            pattern: None,
            min: None,
            max: None,
            help: "",
            example: None,
            default: None,
            may_be_missing: false,
        }
    }

    /// Creates an optional field.
    pub(crate) const fn optional(field: Field, label: &'static str, kind: FieldKind) -> Self {
        Self {
            required: false,
            ..Self::required(field, label, kind)
        }
    }

    /// Creates a read-only field.
    pub(crate) const fn read_only(name: &'static str, label: &'static str, kind: FieldKind) -> Self {
        Self {
            name,
            field: None,
            ..Self::optional(Field::Token, label, kind)
        }
    }

    /// Allows null and blank values.
    pub(crate) const fn nullable(self) -> Self {
        Self {
            nullable: true,
            may_be_blank: true,
            ..self
        }
    }

    /// Sets the maximum length in characters.
    pub(crate) const fn at_most(self, characters: usize) -> Self {
        Self {
            max_length: Some(characters),
            ..self
        }
    }

    /// Sets the minimum length in characters.
    pub(crate) const fn at_least(self, characters: usize) -> Self {
        Self {
            min_length: Some(characters),
            ..self
        }
    }

    /// Sets the regular expression of values that are not blank, in the syntax of JSON Schema (ECMA-262).
    pub(crate) const fn matching(self, pattern: &'static str) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// Sets the minimum.
    pub(crate) const fn from(self, min: i32) -> Self {
        Self {
            min: Some(min),
            ..self
        }
    }

    /// Sets the maximum.
    pub(crate) const fn to(self, max: i32) -> Self {
        Self {
            max: Some(max),
            ..self
        }
    }

    /// Sets one sentence of help for users of the form.
    pub(crate) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Sets a valid example.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self {
            example: Some(example),
            ..self
        }
    }

    /// Sets the default in a new object.
    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// Makes the field optional in bodies.
    pub(crate) const fn not_required(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }

    /// Makes the field optional in responses.
    pub(crate) const fn sometimes(self) -> Self {
        Self {
            may_be_missing: true,
            ..self
        }
    }

    /// Returns whether clients can't write the field.
    pub(crate) const fn is_read_only(&self) -> bool {
        self.field.is_none()
    }
}
