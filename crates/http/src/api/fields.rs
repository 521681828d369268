//! The description of a body's fields: ONE for each body. Reading a body, OPTIONS metadata, forms and the
//! OpenAPI document all come from it, so that they can't say different things.
//!
//! What a value must be is the domain's to say; a description repeats none of it but takes its constants.

use mycars_domain::Field;

use crate::messages;

/// What a body or an answer is called, and its fields. One description serves both ways: a body has the fields
/// that clients write, an answer those that they read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Its name in the OpenAPI document.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [FieldSpec],
}

impl Schema {
    /// The fields that clients can write.
    pub(crate) fn writable(&self) -> impl Iterator<Item = &'static FieldSpec> + use<> {
        self.fields.iter().filter(|spec| !spec.is_read_only())
    }

    /// The fields that clients are shown: all but secrets and files.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &'static FieldSpec> + use<> {
        let is_shown = |spec: &&FieldSpec| !matches!(spec.kind, FieldKind::Password | FieldKind::ImageUpload);
        self.fields.iter().filter(is_shown)
    }
}

/// What kind of value a field holds: what is read from a body, and what OPTIONS calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text.
    Text,
    /// Text that is not shown while it is typed.
    Password,
    /// An e-mail address.
    Email,
    /// A whole number.
    Integer,
    /// One of several texts: each with the name that it is shown by.
    Choice(&'static [(&'static str, &'static str)]),
    /// A date and time; only ever read.
    DateTime,
    /// True or false.
    Boolean,
    /// A picture, shown as its path; only ever read.
    Image,
    /// A picture to be uploaded.
    ImageUpload,
    /// One of several codes; only ever read.
    Code(&'static [&'static str]),
    /// The id of something else; only ever read.
    Reference,
    /// Text that is made of something else; only ever read.
    Computed,
    /// Any value that a field can have; only ever read.
    Any,
    /// Several things of one shape; only ever read.
    List(&'static Schema),
}

/// The description of one field. Made by the constructors and the methods that narrow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent, and Django REST framework's own"
)]
pub(crate) struct FieldSpec {
    pub(crate) name: &'static str,
    /// Which field of the domain it is; `None` for what is only ever read.
    pub(crate) field: Option<Field>,
    pub(crate) label: &'static str,
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) may_be_blank: bool,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    /// A regular expression that no blank text matches, for clients that check before they send. The domain decides.
    pub(crate) pattern: Option<&'static str>,
    pub(crate) min: Option<i32>,
    pub(crate) max: Option<i32>,
    pub(crate) help: &'static str,
    /// A good value, as text. Only documents show it.
    pub(crate) example: Option<&'static str>,
    /// What it is in a new thing if it is left out, as text. Only documents show it.
    pub(crate) default: Option<&'static str>,
    /// Whether an answer may come without it.
    pub(crate) may_be_missing: bool,
}

impl FieldSpec {
    /// A field that must be there, is not null and not blank.
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

    /// A field that may be left out.
    pub(crate) const fn optional(field: Field, label: &'static str, kind: FieldKind) -> Self {
        Self {
            required: false,
            ..Self::required(field, label, kind)
        }
    }

    /// A field that clients read and can't write.
    pub(crate) const fn read_only(name: &'static str, label: &'static str, kind: FieldKind) -> Self {
        Self {
            name,
            field: None,
            ..Self::optional(Field::Token, label, kind)
        }
    }

    /// It may be null, and blank.
    pub(crate) const fn nullable(self) -> Self {
        Self {
            nullable: true,
            may_be_blank: true,
            ..self
        }
    }

    /// It has at most so many characters.
    pub(crate) const fn at_most(self, characters: usize) -> Self {
        Self {
            max_length: Some(characters),
            ..self
        }
    }

    /// It has at least so many characters.
    pub(crate) const fn at_least(self, characters: usize) -> Self {
        Self {
            min_length: Some(characters),
            ..self
        }
    }

    /// What is not blank matches this regular expression, as JSON Schema writes them (ECMA-262).
    pub(crate) const fn matching(self, pattern: &'static str) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// It is at least this number.
    pub(crate) const fn from(self, min: i32) -> Self {
        Self {
            min: Some(min),
            ..self
        }
    }

    /// It is at most this number.
    pub(crate) const fn to(self, max: i32) -> Self {
        Self {
            max: Some(max),
            ..self
        }
    }

    /// One sentence of help for users of the form.
    pub(crate) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// A good value, as text.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self {
            example: Some(example),
            ..self
        }
    }

    /// What it is in a new thing if it is left out, as text.
    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// It may be left out of a body.
    pub(crate) const fn not_required(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }

    /// An answer may come without it.
    pub(crate) const fn sometimes(self) -> Self {
        Self {
            may_be_missing: true,
            ..self
        }
    }

    /// Whether clients can't write it.
    pub(crate) const fn is_read_only(&self) -> bool {
        self.field.is_none()
    }
}
