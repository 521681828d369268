//! What became of things: everything for admins, and of a car for its owner.

use mycars_application::{
    history,
    lists::{Garage, Listed},
};

use super::cars::{Scope, id};
use crate::{
    api::{
        endpoint::{Access, Answer, Endpoint, Operation, Reply, Request, Tag, Verb},
        fields::{FieldSpec, Kind, Shape},
        views::EntryView,
    },
    error::ApiError,
    request::query,
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/admin/history/",
    name: "Admin History",
    description: "What became of users, cars and logins, newest first. Times are written as 2026-11-24 or \
                  2026-11-24T18:30.",
    tag: Tag::AdminHistory,
    access: Access::Admin,
    list: Some(&query::HISTORY),
    operations: &[Operation::plain(
        "list_history",
        "List what became of everything",
        Verb::Get,
        Answer::Many(&ENTRY),
        list,
    )],
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/history/",
    name: "Car History",
    description: "What became of one of your own cars since it is yours, newest first.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &[Operation::plain(
        "list_car_history",
        "List what became of a car",
        Verb::Get,
        Answer::Many(&ENTRY_OF_OWN_CAR),
        of_car,
    )],
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/history/",
    name: "Admin User Car History",
    description: "What became of a user's car since it is theirs, newest first.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &[Operation::plain(
        "list_user_car_history",
        "List what became of a car",
        Verb::Get,
        Answer::Many(&ENTRY),
        of_car,
    )],
};

/// An entry, as admins see it.
pub(crate) static ENTRY: Shape = Shape {
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
        FieldSpec::read_only("request_id", "Request id", Kind::Text)
            .nullable()
            .help("The `X-Request-Id` of the answer.")
            .example("3f7a21c0-42"),
        FieldSpec::read_only("address", "Address", Kind::Text)
            .nullable()
            .help("From where it was asked.")
            .example("192.0.2.7"),
        CHANGES,
    ],
};

/// An entry, as the car's owner sees it.
pub(crate) static ENTRY_OF_OWN_CAR: Shape = Shape {
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

static CHANGE: Shape = Shape {
    name: "FieldChange",
    fields: &[
        FieldSpec::read_only("field", "Field", Kind::Text).example("mileage"),
        FieldSpec::read_only("before", "Before", Kind::Any).example("5"),
        FieldSpec::read_only("after", "After", Kind::Any).example("900"),
    ],
};

const ID: FieldSpec =
    FieldSpec::read_only("id", "ID", Kind::Integer).help("Later entries have greater ones.");
const AT: FieldSpec = FieldSpec::read_only("at", "At", Kind::DateTime);
const ACTION: FieldSpec = FieldSpec::read_only("action", "Action", Kind::Code(query::ACTIONS))
    .help("Logins that were ended are `revoked`.")
    .example("changed");
const OBJECT_TYPE: FieldSpec =
    FieldSpec::read_only("object_type", "Object type", Kind::Code(query::OBJECT_TYPES)).example("car");
const OBJECT_ID: FieldSpec = FieldSpec::read_only("object_id", "Object id", Kind::Text).example("7");
const OBJECT: FieldSpec = FieldSpec::read_only("object", "Object", Kind::Text)
    .help("What it was called then.")
    .example("Toyota Camry (AB 123 CD)");
const ACTOR: FieldSpec = FieldSpec::read_only("actor", "Actor", Kind::Reference)
    .nullable()
    .help("The user who did it; null for nobody that is known, and for the program itself.")
    .example("1");
const ACTOR_NAME: FieldSpec = FieldSpec::read_only("actor_name", "Actor name", Kind::Text)
    .help("What they were called then.")
    .example("ann");
const CHANNEL: FieldSpec = FieldSpec::read_only("channel", "Channel", Kind::Code(CHANNELS)).example("api");
const CHANNELS: &[&str] = &["api", "panel", "command_line"];
const CHANGES: FieldSpec = FieldSpec::read_only("changes", "Changes", Kind::List(&CHANGE));

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let query = request.query.history(request.lists)?;
    let Listed { items, total } = history::list(request.app, request.caller, &query)?;
    let items = items.iter().map(EntryView::whole).collect();
    request.list(Listed { items, total }, query.page)
}

fn of_car(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let page = Some(request.query.history_page(request.lists));
    let Listed { items, total } =
        history::of_car(request.app, request.caller, scope.garage, id(request), page)?;
    let view = match scope.garage {
        Garage::Own => EntryView::without_request,
        Garage::Of(_) | Garage::All => EntryView::whole,
    };
    let items = items.iter().map(view).collect();
    request.list(Listed { items, total }, page)
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
