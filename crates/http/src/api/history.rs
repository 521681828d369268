//! What became of things: everything for admins, and of a car for its owner.

use mycars_application::{
    history,
    lists::{Garage, Listed},
};

use super::cars::{Scope, id};
use crate::{
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    query,
    views::EntryView,
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/admin/history/",
    name: "Admin History",
    description: "What became of users, cars and logins, newest first. Times are written as 2026-11-24 or \
                  2026-11-24T18:30.",
    access: Access::Admin,
    list: Some(&query::HISTORY),
    operations: &[Operation::plain(Verb::Get, list)],
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/history/",
    name: "Car History",
    description: "What became of one of your own cars since it is yours, newest first.",
    access: Access::Authenticated,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &OF_CAR,
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/history/",
    name: "Admin User Car History",
    description: "What became of a user's car since it is theirs, newest first.",
    access: Access::Admin,
    list: Some(&query::HISTORY_OF_CAR),
    operations: &OF_CAR,
};

static OF_CAR: [Operation; 1] = [Operation::plain(Verb::Get, of_car)];

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
