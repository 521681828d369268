//! What is asked of many cars at once, for the panel.

use mycars_domain::{Action, Car, CarId};

use super::{Error, owner};
use crate::{
    App, Caller,
    lists::{CarQuery, Garage, in_order_of},
    ports::CarCount,
};

/// The ids of everybody's cars that `query` asks for, in its order, whatever its page.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn ids(app: &App, caller: &Caller, query: &CarQuery) -> Result<Vec<CarId>, Error> {
    owner(caller, Action::ManageCars, Garage::All)?;
    Ok(app.store.read(|unit| unit.cars().ids(None, query))?)
}

/// The cars that have these ids, in their order; those that are gone are left out.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, ids: &[CarId]) -> Result<Vec<Car>, Error> {
    owner(caller, Action::ManageCars, Garage::All)?;
    let mut cars = app.store.read(|unit| unit.cars().find_all(ids))?;
    in_order_of(ids, &mut cars, |car| car.id);
    Ok(cars)
}

/// How many of the cars that have these ids there are, and how many of them have a picture.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn count(app: &App, caller: &Caller, ids: &[CarId]) -> Result<CarCount, Error> {
    owner(caller, Action::ManageCars, Garage::All)?;
    Ok(app.store.read(|unit| unit.cars().count_among(ids))?)
}

/// The brands that most of the cars have that `query` asks for when its own brand is left aside, and how many
/// cars have each, the most frequent first.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn brands(
    app: &App,
    caller: &Caller,
    query: &CarQuery,
    at_most: u32,
) -> Result<Vec<(String, u64)>, Error> {
    owner(caller, Action::ManageCars, Garage::All)?;
    Ok(app.store.read(|unit| unit.cars().brands(query, at_most))?)
}
