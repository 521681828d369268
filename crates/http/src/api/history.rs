//! The audit log: all entries for admins, and those of a car for its owner.

use mycars_application::{App, Caller, cars::CarScope, history};
use mycars_domain::{CarId, audit::Entry};

use super::cars::{Scope, id};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        entry::EntryView,
        fields::{FieldKind, FieldSpec, Schema},
        items::Items,
    },
    error::ApiError,
    request::query,
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/admin/history/",
    name: "Admin History",
    description: "The audit log: changes of users, cars and logins, newest first. Filters take times such as 2026-11-24 or \
                  2026-11-24T18:30.",
    tag: Tag::AdminHistory,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: Some(&query::HISTORY),
    operations: &[Operation::plain(
        "list_history",
        "List the audit log",
        Method::Get,
        ResponseSpec::Many(&ENTRY),
        list,
    )],
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/history/",
    name: "Car History",
    description: "Changes of one of your own cars since you own it, newest first.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &[Operation::plain(
        "list_car_history",
        "List the changes of a car",
        Method::Get,
        ResponseSpec::Many(&CAR_HISTORY_ENTRY),
        of_car,
    )],
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/history/",
    name: "Admin User Car History",
    description: "Changes of a user's car since they own it, newest first.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &[Operation::plain(
        "list_user_car_history",
        "List the changes of a car",
        Method::Get,
        ResponseSpec::Many(&ENTRY),
        of_car,
    )],
};

/// An entry for admins.
pub(crate) static ENTRY: Schema = Schema {
    name: "HistoryEntry",
    fields: &[
        ID,
        AT,
        ACTION,
        OBJECT_TYPE,
        OBJECT_ID,
        OBJECT,
        ACTOR,
        ACTOR_NAME,
        CHANNEL,
        FieldSpec::read_only("request_id", "Request id", FieldKind::Text)
            .nullable()
            .help("`X-Request-Id` of the response.")
            .example("3f7a21c0-42"),
        FieldSpec::read_only("address", "Address", FieldKind::Text)
            .nullable()
            .help("Network address of the client.")
            .example("192.0.2.7"),
        CHANGES,
    ],
};

/// An entry for the owner of the car.
pub(crate) static CAR_HISTORY_ENTRY: Schema = Schema {
    name: "CarHistoryEntry",
    fields: &[
        ID,
        AT,
        ACTION,
        OBJECT_TYPE,
        OBJECT_ID,
        OBJECT,
        ACTOR,
        ACTOR_NAME,
        CHANNEL,
        CHANGES,
    ],
};

const LONG_TEXT: &str = "A text of more than 256 characters is an object: `excerpt`, its first 256 characters; `length`, the number of its characters; `sha256`, the hash of its UTF-8.";

static CHANGE: Schema = Schema {
    name: "FieldChange",
    fields: &[
        FieldSpec::read_only("field", "Field", FieldKind::Text).example("mileage"),
        FieldSpec::read_only("before", "Before", FieldKind::Any)
            .help(LONG_TEXT)
            .example("5"),
        FieldSpec::read_only("after", "After", FieldKind::Any)
            .help(LONG_TEXT)
            .example("900"),
    ],
};

const ID: FieldSpec =
    FieldSpec::read_only("id", "ID", FieldKind::Integer).help("Later entries have greater ids.");
const AT: FieldSpec = FieldSpec::read_only("at", "At", FieldKind::DateTime);
const ACTION: FieldSpec = FieldSpec::read_only("action", "Action", FieldKind::Code(query::ACTIONS))
    .help("`revoked` means that logins were ended.")
    .example("changed");
const OBJECT_TYPE: FieldSpec =
    FieldSpec::read_only("object_type", "Object type", FieldKind::Code(query::OBJECT_TYPES)).example("car");
const OBJECT_ID: FieldSpec = FieldSpec::read_only("object_id", "Object id", FieldKind::Text).example("7");
const OBJECT: FieldSpec = FieldSpec::read_only("object", "Object", FieldKind::Text)
    .help("Name of the object at that time.")
    .example("Toyota Camry (AB 123 CD)");
const ACTOR: FieldSpec = FieldSpec::read_only("actor", "Actor", FieldKind::Reference)
    .nullable()
    .help("Id of the user who made the change; null for anonymous clients and for the program itself.")
    .example("1");
const ACTOR_NAME: FieldSpec = FieldSpec::read_only("actor_name", "Actor name", FieldKind::Text)
    .help("Name of the actor at that time.")
    .example("ann");
const CHANNEL: FieldSpec =
    FieldSpec::read_only("channel", "Channel", FieldKind::Code(CHANNELS)).example("api");
const CHANNELS: &[&str] = &["api", "panel", "command_line"];
const CHANGES: FieldSpec = FieldSpec::read_only("changes", "Changes", FieldKind::List(&CHANGE));

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let query = request.query.history(request.lists)?;
    let listed = history::list(request.app, request.caller, &query)?;
    request.list(&listed.into(), query.page, EntryItems { car: None })
}

/// The entries in a list: of everything, or of a car.
struct EntryItems {
    car: Option<(CarScope, CarId)>,
}

impl Items for EntryItems {
    type Item = Entry;

    fn id(entry: &Entry) -> i64 {
        entry.id
    }

    fn read(&self, app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Entry>, ApiError> {
        Ok(match self.car {
            None => history::read_all(app, caller, ids)?,
            Some((scope, car)) => history::read_all_of_car(app, caller, scope, car, ids)?,
        })
    }

    fn write(&self, entry: &Entry, json: &mut Vec<u8>) -> serde_json::Result<()> {
        let view = match self.car {
            Some((CarScope::Caller, _)) => EntryView::without_request(entry),
            _ => EntryView::whole(entry),
        };
        serde_json::to_writer(json, &view)
    }
}

fn of_car(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let page = Some(request.query.history_page(request.lists));
    let listed = history::of_car(request.app, request.caller, scope.cars, id(request), page)?;
    let car = Some((scope.cars, id(request)));
    request.list(&listed.into(), page, EntryItems { car })
}

#[cfg(test)]
mod tests {
    use mycars_domain::audit::{Action, Channel, ObjectType};

    use super::*;

    #[test]
    fn codes_are_those_of_the_domain() {
        assert_eq!(query::ACTIONS, Action::ALL.map(Action::as_str));
        assert_eq!(query::OBJECT_TYPES, ObjectType::ALL.map(ObjectType::as_str));
        assert_eq!(CHANNELS, Channel::ALL.map(Channel::as_str));
    }
}
