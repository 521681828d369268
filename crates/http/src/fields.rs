//! The description of a body's fields: ONE for each body. Reading a body, OPTIONS metadata, forms and the
//! OpenAPI document all come from it, so that they can't say different things.
//!
//! What a value must be is the domain's to say; a description repeats none of it but takes its constants.

use mycars_domain::Field;

use crate::words;

/// What kind of value a field holds: what is read from a body, and what OPTIONS calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
    /// Anything else that is only ever read.
    Computed,
}

/// The description of one field. Made by the constructors and the methods that narrow it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpec {
    pub(crate) name: &'static str,
    /// Which field of the domain it is; `None` for what is only ever read.
    pub(crate) field: Option<Field>,
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) may_be_blank: bool,
    pub(crate) max_length: Option<usize>,
    pub(crate) min: Option<i32>,
    pub(crate) max: Option<i32>,
    pub(crate) help: &'static str,
}

impl FieldSpec {
    /// A field that must be there, is not null and not blank.
    pub(crate) const fn required(field: Field, label: &'static str, kind: Kind) -> Self {
        Self {
            name: words::name(field),
            field: Some(field),
            label,
            kind,
            required: true,
            nullable: false,
            may_be_blank: false,
            max_length: None,
            min: None,
            max: None,
            help: "",
        }
    }

    /// A field that may be left out.
    pub(crate) const fn optional(field: Field, label: &'static str, kind: Kind) -> Self {
        Self {
            required: false,
            ..Self::required(field, label, kind)
        }
    }

    /// A field that clients read and can't write.
    pub(crate) const fn read_only(name: &'static str, label: &'static str, kind: Kind) -> Self {
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

    /// One sentence about it for who fills it in.
    pub(crate) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Whether clients can't write it.
    pub(crate) const fn is_read_only(&self) -> bool {
        self.field.is_none()
    }
}
