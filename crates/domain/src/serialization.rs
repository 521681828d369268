//! Serialisation (feature `serde`) of types for which a derive would accept values that `parse` refuses.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    Field, Role, Violation, Violations,
    audit::{self, Channel, ObjectType},
    values::{
        Address, Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, Notes,
        Password, Phone, Username, Vin, Year,
    },
};

/// Implements serialisation as the result of `$get`.
macro_rules! serialize {
    ($get:ident: $($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.$get().serialize(serializer)
            }
        }
    )+};
}

serialize! {
    as_str:
    Address, Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Model, Notes, Phone, Username, Vin,
    Role, audit::Action, Channel, ObjectType
}
serialize! { get: Mileage, Year }

/// Implements deserialisation of a `$raw` value by `$parse`.
macro_rules! deserialize {
    ($raw:ty: $($name:ty, $parse:expr);+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <$raw>::deserialize(deserializer)?;
                $parse(&raw).map_err(|violations| refused(stringify!($name), &violations))
            }
        }
    )+};
}

deserialize! {
    String:
    Address, Self::parse;
    Brand, Self::parse;
    Color, Self::parse;
    Email, Self::parse;
    FirstName, Self::parse;
    LastName, Self::parse;
    LicensePlate, Self::parse;
    Model, Self::parse;
    Notes, Self::parse;
    Phone, Self::parse;
    Username, Self::parse;
    Vin, Self::parse;
    Role, Self::parse;
    audit::Action, choice(Self::named);
    Channel, choice(Self::named);
    ObjectType, choice(Self::named)
}
deserialize! { i64: Mileage, |kilometres: &i64| Self::parse(*kilometres) }

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error of serde for a value of another type would contain the value.
        let text = String::deserialize(deserializer)
            .map_err(|_| D::Error::custom("Password is not valid: it is no text"))?;
        Self::parse(&text).map_err(|violations| refused("Password", &violations))
    }
}

impl Serialize for Violations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Violations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut violations = Self::new();
        for (field, several) in BTreeMap::<Field, Vec<Violation>>::deserialize(deserializer)? {
            violations.extend(field, several);
        }
        Ok(violations)
    }
}

/// Converts a lookup by name into a check that reports an unknown name as a violation.
fn choice<T>(named: fn(&str) -> Option<T>) -> impl Fn(&str) -> Result<T, Vec<Violation>> {
    move |name| named(name).ok_or_else(|| vec![Violation::NotAChoice(name.to_owned())])
}

/// Returns the error of a refused value, for developers of adapters. Messages for users are written by the adapter.
fn refused<E: serde::de::Error>(name: &str, violations: &[Violation]) -> E {
    E::custom(format_args!("{name} is not valid: {violations:?}"))
}
