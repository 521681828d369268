//! What became of a car, for its owner.

use mycars_domain::{
    CarId,
    audit::{Entry, ObjectType},
};

use super::list::entries;
use crate::{
    App, Caller,
    cars::{self, Error},
    lists::{Garage, HistoryQuery, Listed, Page},
};

/// What became of a car of a garage while it was its owner's, the newest first.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for who may not; [`Error::Store`].
pub fn of_car(
    app: &App,
    caller: &Caller,
    garage: Garage,
    id: CarId,
    page: Option<Page>,
) -> Result<Listed<Entry>, Error> {
    let car = cars::read(app, caller, garage, id)?;
    let query = HistoryQuery {
        object_type: Some(ObjectType::Car),
        object_id: Some(id.to_string()),
        owner: Some(car.owner),
        page,
        ..HistoryQuery::default()
    };
    app.store.read(|unit| entries(unit, &query))
}
