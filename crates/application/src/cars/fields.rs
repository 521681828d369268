//! The fields of a car as they were sent.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, Field, NewCar, UserId, Violation, strip,
    values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use super::{CarScope, Error};
use crate::{
    App, Input, UpdateMode,
    input::{Checker, changed, set, unless_stored, unless_stored_number},
    ports::{StoreError, UnitOfWork},
    quotas,
};

/// The input of a car. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarInput {
    /// The brand.
    pub brand: Input<String>,
    /// The model.
    pub model: Input<String>,
    /// The year of construction.
    pub year: Input<i64>,
    /// The colour.
    pub color: Input<String>,
    /// The licence plate.
    pub license: Input<String>,
    /// The vehicle identification number; blank means null.
    pub vin: Input<String>,
    /// The mileage in kilometres.
    pub mileage: Input<i64>,
    /// Notes.
    pub notes: Input<String>,
    /// The owner. Only used with [`CarScope::All`]: any other scope has an owner.
    pub owner: Input<UserId>,
    /// The expected version: the time of the last change. `None` changes any version.
    pub version: Option<DateTime<Utc>>,
}

/// The valid fields; `None` for those that were not sent.
pub(crate) struct CarFields {
    brand: Option<Brand>,
    model: Option<Model>,
    year: Option<Year>,
    color: Option<Option<Color>>,
    license: Option<LicensePlate>,
    vin: Option<Option<Vin>>,
    mileage: Option<Mileage>,
    notes: Option<Option<Notes>>,
    owner: Option<UserId>,
}

impl CarFields {
    /// Checks every field of `input`, that no other car has the licence plate unless the INSERT will, and that `owner`, or
    /// else the owner among the fields, may have a new car. Fields that equal those of `before` are not checked again.
    pub(super) fn check(
        app: &App,
        unit: &mut dyn UnitOfWork,
        (scope, owner): (CarScope, Option<UserId>),
        input: &CarInput,
        completeness: UpdateMode,
        before: Option<&Car>,
    ) -> Result<Self, Error> {
        let mut checker = Checker::new(completeness);
        let mut fields = Self::parse(&mut checker, input, app.current_year(), before);
        if matches!(scope, CarScope::All) {
            fields.owner = checker.required(Field::Owner, &input.owner, |id: &UserId| Ok(*id));
        }
        if let Some(license) = changed(fields.license.as_ref(), before.map(|car| &car.license)) {
            let new_owner = owner.or(fields.owner).filter(|_| before.is_none());
            let is_taken = match new_owner {
                // The INSERT reports a taken plate if nothing else is wrong.
                Some(_) if app.quotas.cars.is_none() && checker.is_valid() => false,
                Some(owner) if app.quotas.cars.is_some() => {
                    let (count, is_taken) = unit.cars().count_and_license_is_taken(owner, license)?;
                    if let Some(violation) = quotas::check_car(app, unit, owner, count)? {
                        checker.add(field_of_quota(scope), violation);
                    }
                    is_taken
                }
                _ => unit.cars().license_is_taken(license, before.map(|car| car.id))?,
            };
            if is_taken {
                checker.add(Field::License, Violation::Taken);
            }
        }
        checker.finish()?;
        Ok(fields)
    }

    /// Checks the values of the fields, except the owner. Fields that equal those of `before` are not checked again.
    pub(crate) fn parse(
        checker: &mut Checker,
        input: &CarInput,
        current_year: i32,
        before: Option<&Car>,
    ) -> Self {
        Self {
            brand: checker.required(
                Field::Brand,
                &input.brand,
                unless_stored(before.map(|car| &car.brand), Brand::as_str, Brand::parse),
            ),
            model: checker.required(
                Field::Model,
                &input.model,
                unless_stored(before.map(|car| &car.model), Model::as_str, Model::parse),
            ),
            year: checker.required(
                Field::Year,
                &input.year,
                unless_stored_number(before.map(|car| car.year), Year::get, |year| {
                    Year::parse(year, current_year)
                }),
            ),
            color: checker.nullable(
                Field::Color,
                &input.color,
                unless_stored(
                    before.and_then(|car| car.color.as_ref()),
                    Color::as_str,
                    Color::parse,
                ),
            ),
            license: checker.required(
                Field::License,
                &input.license,
                unless_stored(
                    before.map(|car| &car.license),
                    LicensePlate::as_str,
                    LicensePlate::parse,
                ),
            ),
            vin: checker.nullable(
                Field::Vin,
                &blank_is_null(&input.vin),
                unless_stored(before.and_then(|car| car.vin.as_ref()), Vin::as_str, Vin::parse),
            ),
            mileage: checker.optional(
                Field::Mileage,
                &input.mileage,
                unless_stored_number(before.map(|car| car.mileage), Mileage::get, Mileage::parse),
            ),
            notes: checker.nullable(
                Field::Notes,
                &input.notes,
                unless_stored(
                    before.and_then(|car| car.notes.as_ref()),
                    Notes::as_str,
                    Notes::parse,
                ),
            ),
            owner: None,
        }
    }

    /// Returns the licence plate, if it was sent and is valid.
    pub(super) fn license(&self) -> Option<&LicensePlate> {
        self.license.as_ref()
    }

    /// Returns a new car of `owner`, or else of the owner among the fields. Optional fields that were not sent have
    /// their defaults.
    pub(super) fn into_new(self, app: &App, owner: Option<UserId>) -> Result<NewCar, Error> {
        let (Some(brand), Some(model), Some(year), Some(license), Some(owner)) = (
            self.brand,
            self.model,
            self.year,
            self.license,
            owner.or(self.owner),
        ) else {
            return Err(unchecked());
        };
        Ok(NewCar {
            owner,
            brand,
            model,
            year,
            color: self.color.flatten(),
            license,
            vin: self.vin.flatten(),
            mileage: self.mileage.unwrap_or_default(),
            notes: self.notes.flatten(),
            created_at: app.now(),
        })
    }

    /// Sets the fields that were sent, and the time of the change.
    pub(super) fn apply_to(self, app: &App, car: &mut Car) {
        self.set_in(car);
        car.updated_at = app.now_after(car.updated_at);
    }

    /// Sets the fields that were sent.
    pub(crate) fn set_in(self, car: &mut Car) {
        set(&mut car.brand, self.brand);
        set(&mut car.model, self.model);
        set(&mut car.year, self.year);
        set(&mut car.color, self.color);
        set(&mut car.license, self.license);
        set(&mut car.vin, self.vin);
        set(&mut car.mileage, self.mileage);
        set(&mut car.notes, self.notes);
        set(&mut car.owner, self.owner);
    }
}

/// Returns the field of a violation of the owner's quota: the owner, where the input names one.
fn field_of_quota(scope: CarScope) -> Field {
    match scope {
        CarScope::All => Field::Owner,
        CarScope::Caller | CarScope::Owner(_) => Field::NonField,
    }
}

fn blank_is_null(input: &Input<String>) -> Input<String> {
    match input {
        Input::Given(text) if strip(text).is_empty() => Input::Null,
        other => other.clone(),
    }
}

/// The error if the fields of a new car were not checked in full before, which is a bug.
fn unchecked() -> Error {
    StoreError::Other("a new car was made of fields that were not checked as a whole".into()).into()
}
