//! The rows of the table: the requests, and what My Cars is compared with.

use crate::{
    database::{OWNER_OF_20, username},
    request::{NUMBER, Request},
    site::Site,
};

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    MyCars,
    /// The reference server, which serves the same paths without `/api`.
    Reference,
    /// A script of `pgbench/`, on PostgreSQL only.
    Pgbench(&'static str),
}

/// The name of a row, the programs that are measured, and the request.
pub(crate) struct Row(
    pub(crate) &'static str,
    pub(crate) &'static [Program],
    pub(crate) fn(&Site) -> Request,
);

use Program::{MyCars, Pgbench, Reference};

/// All rows. "Of 1000" means the number of cars of the user who sends the request.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    Row("GET /api/cars/{id}/", &[MyCars, Reference, Pgbench("read")], read),
    Row("GET /api/cars/ of 20", &[MyCars, Reference], |site| of_20(site, "/api/cars/")),
    Row("GET /api/cars/ of 1000", &[MyCars, Reference], |site| of_1000(site, "")),
    Row("GET /api/cars/ of 1000, limit 20", &[MyCars], |site| of_1000(site, "?limit=20")),
    Row("GET /api/cars/ of 1000, limit 20, offset 980", &[MyCars], |site| of_1000(site, "?limit=20&offset=980")),
    Row("GET /api/cars/ of 1000, by brand and year, limit 20", &[MyCars], |site| {
        of_1000(site, "?brand=Toyota&year_min=2000&ordering=-year&limit=20")
    }),
    Row("GET /api/cars/ of 1000, by mileage, limit 20, offset 980", &[MyCars], |site| {
        of_1000(site, "?ordering=mileage&limit=20&offset=980")
    }),
    Row("GET /api/cars/ of 1000, search, limit 20", &[MyCars], |site| of_1000(site, "?search=corolla&limit=20")),
    Row("GET /api/me/", &[MyCars], |site| of_20(site, "/api/me/")),
    Row("POST /api/cars/", &[MyCars, Pgbench("insert"), Pgbench("create")], create),
    Row("PATCH /api/cars/{id}/", &[MyCars], update),
    Row("POST /api/token/", &[MyCars], |_| Request::login(&username(OWNER_OF_20))),
    // The default list holds clients only. `?role=all` has no condition on the role and is counted faster.
    Row("GET /api/admin/users/, limit 20", &[MyCars], |site| users(site, "limit=20")),
    Row("GET /api/admin/users/?role=all, limit 20", &[MyCars], |site| users(site, "role=all&limit=20")),
    Row("GET /api/admin/users/?role=all, limit 20, deep", &[MyCars], |site| {
        users(site, &format!("role=all&limit=20&offset={}", site.database.users - 20))
    }),
    Row("GET /api/admin/users/?role=all, search, limit 20", &[MyCars], |site| {
        users(site, "role=all&search=user05&limit=20")
    }),
    // Only the panel searches the cars of all users.
    Row("GET /admin/cars/, search of many", &[MyCars], |site| panel(site, "corolla")),
    Row("GET /admin/cars/, search of few", &[MyCars], |site| panel(site, "00000777")),
    Row("POST /api/cars/{id}/upload-image/", &[MyCars], |site| site.upload.clone()),
    Row("GET /media/{path}", &[MyCars], |site| Request::get(&site.picture)),
];

/// Reads of one car.
pub(crate) fn read(site: &Site) -> Request {
    of_20(site, &site.database.cars_of_20()[0])
}

fn of_20(site: &Site, path: &str) -> Request {
    Request::get(path).bearer(&site.owner_of_20)
}

fn of_1000(site: &Site, query: &str) -> Request {
    Request::get(format!("/api/cars/{query}")).bearer(&site.owner_of_1000)
}

fn users(site: &Site, query: &str) -> Request {
    Request::get(format!("/api/admin/users/?{query}")).bearer(&site.admin)
}

fn panel(site: &Site, search: &str) -> Request {
    Request::get(format!("/admin/cars/?q={search}")).header("Cookie", site.session.clone())
}

/// New cars, each with another plate.
pub(crate) fn create(site: &Site) -> Request {
    let body = format!(
        r#"{{"brand":"Toyota","model":"Corolla","year":2019,"color":"Silver","license":"{:x}-{NUMBER}",
            "vin":"WVWZZZ1JZXW000001","mileage":15000,"notes":"Winter tyres are in the cellar."}}"#,
        timestamp()
    );
    Request::post("/api/cars/", "application/json", body).bearer(&site.buyer)
}

/// Updates of 20 cars in turn: updates of one car would wait for each other.
fn update(site: &Site) -> Request {
    let body = format!(r#"{{"mileage":{NUMBER}}}"#);
    Request {
        method: "PATCH",
        paths: site.database.cars_of_20(),
        ..Request::post("", "application/json", body).bearer(&site.owner_of_20)
    }
}

/// Returns the Unix time, which makes the licence plates of a measurement unique.
#[expect(clippy::disallowed_methods, reason = "no use case takes this time")]
pub(crate) fn timestamp() -> i64 {
    chrono::Utc::now().timestamp()
}
