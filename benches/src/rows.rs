//! The rows of the table: what is asked for, of My Cars, of the reference and of PostgreSQL alone.

use crate::{
    database::{OWNER_OF_20, PASSWORD, username},
    load::Request,
    site::Site,
};

/// What is asked for.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) request: fn(&Site) -> Request,
    /// The same at the reference.
    pub(crate) reference: Option<fn(&Site) -> Request>,
    /// What `pgbench` does of it.
    pub(crate) pgbench: &'static [&'static str],
}

impl Row {
    const fn new(name: &'static str, request: fn(&Site) -> Request) -> Self {
        Self {
            name,
            request,
            reference: None,
            pgbench: &[],
        }
    }

    const fn reference(mut self, request: fn(&Site) -> Request) -> Self {
        self.reference = Some(request);
        self
    }

    const fn pgbench(mut self, scripts: &'static [&'static str]) -> Self {
        self.pgbench = scripts;
        self
    }
}

pub(crate) const READ: &str = "GET /api/cars/{id}/";
pub(crate) const LIST_OF_20: &str = "GET /api/cars/ of 20";
pub(crate) const LIST_OF_1000: &str = "GET /api/cars/ of 1000";
pub(crate) const CREATE: &str = "POST /api/cars/";

/// All of them. Whoever lists owns as many cars as the name says; the others' cars are in the table all the same.
pub(crate) const ROWS: &[Row] = &[
    Row::new(READ, |site| Request::get(site.car()).bearer(&site.owner_of_20))
        .reference(|site| Request::get(site.reference_car()).bearer(&site.owner_of_20))
        .pgbench(&["read"]),
    Row::new(LIST_OF_20, |site| {
        Request::get("/api/cars/").bearer(&site.owner_of_20)
    })
    .reference(|site| Request::get("/cars/").bearer(&site.owner_of_20)),
    Row::new(LIST_OF_1000, |site| of_1000(site, ""))
        .reference(|site| Request::get("/cars/").bearer(&site.owner_of_1000)),
    Row::new("GET /api/cars/ of 1000, limit 20", |site| {
        of_1000(site, "?limit=20")
    }),
    Row::new("GET /api/cars/ of 1000, limit 20, offset 980", |site| {
        of_1000(site, "?limit=20&offset=980")
    }),
    Row::new("GET /api/cars/ of 1000, by brand and year, limit 20", |site| {
        of_1000(site, "?brand=Toyota&year_min=2000&ordering=-year&limit=20")
    }),
    Row::new(
        "GET /api/cars/ of 1000, by mileage, limit 20, offset 980",
        |site| of_1000(site, "?ordering=mileage&limit=20&offset=980"),
    ),
    Row::new("GET /api/cars/ of 1000, search, limit 20", |site| {
        of_1000(site, "?search=corolla&limit=20")
    }),
    Row::new("GET /api/me/", |site| {
        Request::get("/api/me/").bearer(&site.owner_of_20)
    }),
    Row::new(CREATE, |site| {
        Request::script("create", "/api/cars/", [plates()]).bearer(&site.buyer)
    })
    .pgbench(&["insert", "create"]),
    Row::new("PATCH /api/cars/{id}/", |site| {
        Request::script("update", "/", site.other_cars()).bearer(&site.owner_of_20)
    }),
    Row::new("POST /api/token/", |_| {
        Request::script(
            "login",
            "/api/token/",
            [username(OWNER_OF_20), PASSWORD.to_owned()],
        )
    }),
    Row::new("GET /api/admin/users/, limit 20", |site| users(site, 0)),
    Row::new("GET /api/admin/users/, limit 20, deep", |site| {
        users(site, site.database.size.users - 20)
    }),
    Row::new("GET /api/admin/users/, search, limit 20", |site| {
        Request::get("/api/admin/users/?role=all&search=user05&limit=20").bearer(&site.admin)
    }),
    // Only the panel searches everybody's cars.
    Row::new("GET /admin/cars/, search of many", |site| {
        panel(site, "?q=corolla")
    }),
    Row::new("GET /admin/cars/, search of few", |site| {
        panel(site, "?q=00000777")
    }),
    Row::new("POST /api/cars/{id}/upload-image/", |site| {
        let paths = site.other_cars().map(|car| format!("{car}upload-image/"));
        let file = site.database.folder.join("photograph.jpg").display().to_string();
        Request::script("upload", "/", [file].into_iter().chain(paths)).bearer(&site.owner_of_20)
    }),
    Row::new("GET /media/{path}", |site| Request::get(&site.picture)),
];

fn of_1000(site: &Site, query: &str) -> Request {
    Request::get(format!("/api/cars/{query}")).bearer(&site.owner_of_1000)
}

fn users(site: &Site, offset: u64) -> Request {
    Request::get(format!("/api/admin/users/?role=all&limit=20&offset={offset}")).bearer(&site.admin)
}

fn panel(site: &Site, query: &str) -> Request {
    Request::get(format!("/admin/cars/{query}")).header(site.session.clone())
}

/// How the plates of one run begin: no other one has them, of this benchmark or an earlier one.
#[expect(clippy::disallowed_methods, reason = "no use-case asks for this time")]
pub(crate) fn plates() -> String {
    format!("{:x}", chrono::Utc::now().timestamp())
}
