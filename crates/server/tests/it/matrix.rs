//! Authorization of every route and method for every kind of caller. Requests have no body or an empty one,
//! so 400 means that the caller was authorized.

use std::{cell::Cell, collections::BTreeSet};

use serde_json::json;

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, join, log_in, me, new_car},
    document::Document,
    http::TINY_JPEG,
    on_both_databases,
};

on_both_databases!(
    routes_authorize_callers_by_the_table,
    other_methods_are_authorized_like_listed_ones,
);

/// The columns of the tables. `deactivated` has an access token from before the deactivation; `superuser` and `admin`
/// do not own the car. `reader` and `writer` are API keys of the owner, the last two are those of the admin.
const CALLERS: [&str; 10] = [
    "anonymous",
    "owner",
    "other",
    "admin",
    "superuser",
    "deactivated",
    "reader",
    "writer",
    "admin_reader",
    "admin_writer",
];

/// One row for each method of each route. `{user_id}`, `{car_id}`, `{login_id}` and `{key_id}`
/// are the owner, their car, login and key.
const ROUTES: &str = "
                                                              anonymous owner other admin superuser deactivated reader writer admin_reader admin_writer
    GET    /api/                                                  | 200   200   200   200   200   401        200    200    200    200
    POST   /api/register/                                         | 400   400   400   400   400   401        403    403    403    403
    POST   /api/token/                                            | 400   400   400   400   400   400        400    400    400    400
    POST   /api/token/refresh/                                    | 400   400   400   400   400   400        400    400    400    400
    POST   /api/token/verify/                                     | 400   400   400   400   400   400        400    400    400    400
    PUT    /api/change-password/                                  | 401   400   400   400   400   401        403    403    403    403
    POST   /api/password/reset/                                   | 400   400   400   400   400   400        400    400    400    400
    POST   /api/password/reset/confirm/                           | 400   400   400   400   400   400        400    400    400    400
    POST   /api/email/verify/                                     | 400   400   400   400   400   400        400    400    400    400
    POST   /api/email/verify/resend/                              | 400   400   400   400   400   400        400    400    400    400
    POST   /api/email/undo/                                       | 400   400   400   400   400   400        400    400    400    400
    POST   /api/logout/                                           | 401   400   400   400   400   401        403    403    403    403
    GET    /api/me/                                               | 401   200   200   200   200   401        200    200    200    200
    PATCH  /api/me/                                               | 401   200   200   200   200   401        403    403    403    403
    GET    /api/me/keys/                                          | 401   200   200   200   200   401        403    403    403    403
    POST   /api/me/keys/                                          | 401   400   400   400   400   401        403    403    403    403
    DELETE /api/me/keys/{key_id}/                                 | 401   204   404   404   404   401        403    403    403    403
    GET    /api/me/logins/                                        | 401   200   200   200   200   401        403    403    403    403
    DELETE /api/me/logins/                                        | 401   204   204   204   204   401        403    403    403    403
    DELETE /api/me/logins/{login_id}/                             | 401   204   404   404   404   401        403    403    403    403
    GET    /api/me/export/                                        | 401   200   200   200   200   401        403    403    403    403
    DELETE /api/delete-account/                                   | 401   204   204   204   204   401        403    403    403    403
    POST   /api/me/leave/                                         | 401   400   400   400   400   401        403    403    403    403

    GET    /api/cars/                                             | 401   200   200   200   200   401        200    200    200    200
    POST   /api/cars/                                             | 401   400   400   400   400   401        403    400    403    400
    POST   /api/cars/import/                                      | 401   400   400   400   400   401        403    400    403    400
    GET    /api/cars/{car_id}/                                    | 401   200   404   404   404   401        200    200    404    404
    PUT    /api/cars/{car_id}/                                    | 401   400   404   404   404   401        403    400    403    404
    PATCH  /api/cars/{car_id}/                                    | 401   200   404   404   404   401        403    200    403    404
    DELETE /api/cars/{car_id}/                                    | 401   204   404   404   404   401        403    204    403    404
    POST   /api/cars/{car_id}/upload-image/                       | 401   400   404   404   404   401        403    400    403    404
    DELETE /api/cars/{car_id}/upload-image/                       | 401   204   404   404   404   401        403    204    403    404
    GET    /api/cars/{car_id}/history/                            | 401   200   404   404   404   401        200    200    404    404

    GET    /api/admin/users/                                      | 401   403   403   200   200   401        403    403    200    200
    POST   /api/admin/users/                                      | 401   403   403   400   400   401        403    403    403    403
    GET    /api/admin/users/{user_id}/                            | 401   403   403   200   200   401        403    403    200    200
    PUT    /api/admin/users/{user_id}/                            | 401   403   403   400   400   401        403    403    403    403
    PATCH  /api/admin/users/{user_id}/                            | 401   403   403   200   200   401        403    403    403    403
    DELETE /api/admin/users/{user_id}/                            | 401   403   403   204   204   401        403    403    403    403
    GET    /api/admin/users/{user_id}/cars/                       | 401   403   403   200   200   401        403    403    200    200
    POST   /api/admin/users/{user_id}/cars/                       | 401   403   403   400   400   401        403    403    403    400
    POST   /api/admin/users/{user_id}/cars/import/                | 401   403   403   400   400   401        403    403    403    400
    GET    /api/admin/users/{user_id}/cars/{car_id}/              | 401   403   403   200   200   401        403    403    200    200
    PUT    /api/admin/users/{user_id}/cars/{car_id}/              | 401   403   403   400   400   401        403    403    403    400
    PATCH  /api/admin/users/{user_id}/cars/{car_id}/              | 401   403   403   200   200   401        403    403    403    200
    DELETE /api/admin/users/{user_id}/cars/{car_id}/              | 401   403   403   204   204   401        403    403    403    204
    POST   /api/admin/users/{user_id}/cars/{car_id}/upload-image/ | 401   403   403   400   400   401        403    403    403    400
    DELETE /api/admin/users/{user_id}/cars/{car_id}/upload-image/ | 401   403   403   204   204   401        403    403    403    204
    GET    /api/admin/users/{user_id}/cars/{car_id}/history/      | 401   403   403   200   200   401        403    403    200    200
    GET    /api/admin/history/                                    | 401   403   403   200   200   401        403    403    200    200
";

/// Paths that are not endpoints of the API, and the same routes for users of a higher rank, for the caller's
/// own account, and for a car under the id of a user that does not own it. The panel accepts sessions only,
/// and ignores tokens.
const BESIDES: &str = "
                                                              anonymous owner other admin superuser deactivated reader writer admin_reader admin_writer
    GET    /                                                      | 302   302   302   302   302   302        302    302    302    302
    GET    /api/schema/                                           | 200   200   200   200   200   200        200    200    200    200
    GET    /api/docs/                                             | 200   200   200   200   200   200        200    200    200    200
    GET    /health/live                                           | 200   200   200   200   200   200        200    200    200    200
    GET    /health/ready                                          | 200   200   200   200   200   200        200    200    200    200
    GET    /metrics                                               | 200   200   200   200   200   200        200    200    200    200
    GET    {image}                                                | 200   200   200   200   200   200        200    200    200    200
    GET    /media/cars/                                           | 404   404   404   404   404   404        404    404    404    404
    GET    /api/admin/users/{superuser_id}/cars/{car_id}/         | 401   403   403   404   404   401        403    403    404    404
    DELETE /api/admin/users/{superuser_id}/cars/{car_id}/         | 401   403   403   404   404   401        403    403    403    404
    GET    /api/admin/users/{superuser_id}/cars/{car_id}/history/ | 401   403   403   404   404   401        403    403    404    404
    GET    /api/admin/users/{superuser_id}/                       | 401   403   403   200   200   401        403    403    200    200
    PUT    /api/admin/users/{superuser_id}/                       | 401   403   403   403   400   401        403    403    403    403
    PATCH  /api/admin/users/{superuser_id}/                       | 401   403   403   403   200   401        403    403    403    403
    PATCH  /api/admin/users/{own_id}/                             | 401   403   403   200   200   401        403    403    403    403
    DELETE /api/admin/users/{own_id}/                             | 401   403   403   403   403   401        403    403    403    403
    DELETE /api/admin/users/{superuser_id}/                       | 401   403   403   403   204   401        403    403    403    404
    GET    /api/admin/users/{superuser_id}/cars/{car_id}/history/ | 401   403   403   404   404   401        403    403    404    404
    GET    /admin/                                                | 303   303   303   303   303   303        303    303    303    303
    GET    /admin/users/                                          | 303   303   303   303   303   303        303    303    303    303
    GET    /admin/cars/                                           | 303   303   303   303   303   303        303    303    303    303
    GET    /admin/history/                                        | 303   303   303   303   303   303        303    303    303    303
    GET    /admin/tokens/                                         | 303   303   303   303   303   303        303    303    303    303
";

/// A row of a table.
#[derive(Debug)]
struct Row {
    method: &'static str,
    path: &'static str,
    expected: [u16; CALLERS.len()],
}

fn rows(table: &'static str) -> Vec<Row> {
    let is_row = |line: &&str| line.contains('|');
    table.lines().filter(is_row).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let (call, cells) = line.split_once('|').unwrap();
    let mut call = call.split_whitespace();
    let statuses: Vec<u16> = cells
        .split_whitespace()
        .map(|cell| cell.parse().unwrap())
        .collect();
    Row {
        method: call.next().unwrap(),
        path: call.next().unwrap(),
        expected: statuses
            .try_into()
            .unwrap_or_else(|_| panic!("not one cell for each caller: {line}")),
    }
}

#[test]
fn table_matches_routes() {
    let routes: BTreeSet<_> = mycars_http::routes().into_iter().collect();
    let table: BTreeSet<_> = rows(ROUTES).iter().map(|row| (row.method, row.path)).collect();
    let missing = routes.difference(&table).map(|(method, path)| {
        format!("add a row for `{method} {path}` to ROUTES: which callers are allowed?")
    });
    let needless = table
        .difference(&routes)
        .map(|(method, path)| format!("there is no route `{method} {path}`: take its row out of ROUTES"));
    let complaints: Vec<_> = missing.chain(needless).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert_eq!(rows(ROUTES).len(), table.len(), "a row of ROUTES is there twice");
}

/// A caller.
#[derive(Default)]
struct Caller {
    /// The header `Authorization`; none for a request without credentials.
    authorization: Option<String>,
    id: i64,
}

/// The target of the requests: a user, their car and its picture.
struct Victim {
    owner: Caller,
    reader: Caller,
    writer: Caller,
    car: i64,
    login: i64,
    key: i64,
    image: String,
}

/// All callers, on a running server.
struct Cast<'s> {
    installation: &'s Installation,
    server: &'s Server,
    /// In the order of the columns; the places of the owner and the owner's keys are empty, because each victim has its
    /// own.
    callers: [Caller; CALLERS.len()],
    /// A superuser that is never used as a caller.
    superuser: i64,
    /// The OpenAPI document of the server, which each response must match.
    document: Document,
    /// Number of victims so far.
    victims: Cell<u32>,
}

fn routes_authorize_callers_by_the_table(installation: &Installation) {
    let server = start(installation);
    let cast = Cast::on(installation, &server);
    let mut faults = Vec::new();
    for row in rows(ROUTES).iter().chain(&rows(BESIDES)) {
        let victim = cast.victim();
        faults.extend(cast.faults(row, victim));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn start(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.create_superuser("boss");
    installation.start()
}

impl<'s> Cast<'s> {
    fn on(installation: &'s Installation, server: &'s Server) -> Self {
        let [root, boss] =
            ["root", "boss"].map(|name| caller(server, &log_in(server, name, SUPERUSER_PASSWORD).access));
        let [other, admin, deactivated] = ["other", "admin", "deactivated"].map(|name| {
            let access = join(server, name).access;
            caller(server, &access)
        });
        change(server, &root, &admin, &json!({"role": "admin"}));
        change(server, &root, &deactivated, &json!({"is_active": false}));
        let [admin_reader, admin_writer] = ["read", "write"].map(|rights| with_key(server, &admin, rights).0);
        let [anonymous, owner, reader, writer] = <[Caller; 4]>::default();
        Self {
            installation,
            server,
            callers: [
                anonymous,
                owner,
                other,
                admin,
                root,
                deactivated,
                reader,
                writer,
                admin_reader,
                admin_writer,
            ],
            superuser: boss.id,
            document: Document::of(server),
            victims: Cell::new(0),
        }
    }

    /// Creates a user with a car and a picture.
    fn victim(&self) -> Victim {
        let number = self.victims.get();
        self.victims.set(number + 1);
        let access = &join(self.server, &format!("owner{number}")).access;
        let owner = caller(self.server, access);
        let [(reader, key), (writer, _)] =
            ["read", "write"].map(|rights| with_key(self.server, &owner, rights));
        let car = self
            .server
            .send(&new_car(access, &format!("B-AB {number}")))
            .json(201);
        let upload = Request::upload(&format!("/api/cars/{}/upload-image/", car["id"]), TINY_JPEG);
        let image = self.server.send(&upload.bearer(access)).json(200)["image"].clone();
        let logins = Request::get("/api/me/logins/").bearer(access);
        let login = self.server.send(&logins).json(200)[0]["id"].as_i64();
        Victim {
            login: login.unwrap(),
            reader,
            writer,
            key,
            car: car["id"].as_i64().unwrap(),
            image: image.as_str().unwrap().to_owned(),
            owner,
        }
    }

    /// Returns the differences of the responses to a row.
    fn faults(&self, row: &Row, mut victim: Victim) -> Vec<String> {
        let mut faults = Vec::new();
        for (column, expected) in row.expected.into_iter().enumerate() {
            let before = self.seen(&victim);
            let (request, answer) = self.ask(row.method, row.path, column, &victim);
            let status = answer.status;
            faults.extend(self.document.faults(&request, &answer));
            let call = format!("{} {} as {}", row.method, row.path, CALLERS[column]);
            if status != expected {
                faults.push(format!("{call}: {status} instead of {expected}"));
            }
            if status >= 400 && self.seen(&victim) != before {
                faults.push(format!("{call}: {status}, and yet something was changed"));
            }
            if status == 204 {
                // The next caller must have something to delete, too.
                victim = self.victim();
            }
        }
        faults
    }

    /// Creates a user of the same kind for a request that deletes its caller; `None` for a caller that is
    /// refused.
    fn stand_in(&self, kind: &str) -> Option<Caller> {
        let name = format!("{kind}{}", self.victims.get());
        let access = match kind {
            "other" | "admin" => join(self.server, &name).access,
            "superuser" => {
                self.installation.create_superuser(&name);
                log_in(self.server, &name, SUPERUSER_PASSWORD).access
            }
            _ => return None,
        };
        let caller = caller(self.server, &access);
        if kind == "admin" {
            change(self.server, &self.callers[4], &caller, &json!({"role": "admin"}));
        }
        Some(caller)
    }

    /// The state that a refusal must not change: all users, and all data of the target user.
    fn seen(&self, victim: &Victim) -> [serde_json::Value; 2] {
        let one = format!("/api/admin/users/{}/", victim.owner.id);
        [
            self.superuser_sees("/api/admin/users/?role=all"),
            self.superuser_sees(&one),
        ]
    }

    fn superuser_sees(&self, path: &str) -> serde_json::Value {
        let request = self.callers[4].authorize(Request::get(path));
        self.server.send(&request).json(200)
    }

    /// Sends a request as one of the callers.
    fn ask(&self, method: &str, path: &str, column: usize, victim: &Victim) -> (Request, Answer) {
        let stand_in;
        let caller = match CALLERS[column] {
            "owner" => &victim.owner,
            "reader" => &victim.reader,
            "writer" => &victim.writer,
            kind if (method, path) == ("DELETE", "/api/delete-account/") => {
                stand_in = self.stand_in(kind);
                stand_in.as_ref().unwrap_or(&self.callers[column])
            }
            _ => &self.callers[column],
        };
        let path = path
            .replace("{user_id}", &victim.owner.id.to_string())
            .replace("{car_id}", &victim.car.to_string())
            .replace("{login_id}", &victim.login.to_string())
            .replace("{key_id}", &victim.key.to_string())
            .replace("{image}", &victim.image)
            .replace("{superuser_id}", &self.superuser.to_string())
            .replace("{own_id}", &caller.id.to_string());
        let mut request = Request::new(method, &path);
        if matches!(method, "POST" | "PUT" | "PATCH") {
            request = request.json(&json!({}));
        }
        request = caller.authorize(request);
        let answer = self.server.send(&request);
        (request, answer)
    }
}

impl Caller {
    fn authorize(&self, request: Request) -> Request {
        match &self.authorization {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        }
    }
}

fn caller(server: &Server, access: &str) -> Caller {
    let id = me(server, access).json(200)["id"].as_i64();
    Caller {
        authorization: Some(format!("Bearer {access}")),
        id: id.unwrap(),
    }
}

/// Creates an API key of a user, and returns its caller and its id. Keys that only read are sent with the other scheme.
fn with_key(server: &Server, user: &Caller, rights: &str) -> (Caller, i64) {
    let body = json!({"name": rights, "rights": rights, "password": PASSWORD});
    let created = server
        .send(&user.authorize(Request::post("/api/me/keys/", &body)))
        .json(201);
    let scheme = if rights == "read" { "Api-Key" } else { "Bearer" };
    let key = created["key"].as_str().unwrap();
    let caller = Caller {
        authorization: Some(format!("{scheme} {key}")),
        id: user.id,
    };
    (caller, created["id"].as_i64().unwrap())
}

fn change(server: &Server, author: &Caller, user: &Caller, body: &serde_json::Value) {
    let path = format!("/api/admin/users/{}/", user.id);
    let request = author.authorize(Request::new("PATCH", &path).json(body));
    server.send(&request).json(200);
}

/// Authorization comes before the method: OPTIONS, HEAD and methods that a route does not have are refused to
/// the same callers.
fn other_methods_are_authorized_like_listed_ones(installation: &Installation) {
    let server = start(installation);
    let cast = Cast::on(installation, &server);
    let victim = cast.victim();
    let rows = rows(ROUTES);
    let paths: BTreeSet<_> = rows.iter().map(|row| row.path).collect();
    let mut faults = Vec::new();
    for path in paths {
        for method in [
            "OPTIONS", "HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE",
        ] {
            // Methods that an API key may use depend on its rights.
            for (column, caller) in CALLERS.iter().enumerate().take(6) {
                let Some(expected) = besides_the_table(&rows, method, path, column) else {
                    continue;
                };
                let status = cast.ask(method, path, column, &victim).1.status;
                if status != expected {
                    faults.push(format!(
                        "{method} {path} as {caller}: {status} instead of {expected}"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Returns the status for a method that is not in the table, derived from the table; `None` for a method in
/// it.
fn besides_the_table(rows: &[Row], method: &str, path: &str, column: usize) -> Option<u16> {
    let of_path = || rows.iter().filter(|row| row.path == path);
    let cell = |method: &str| {
        of_path()
            .find(|row| row.method == method)
            .map(|row| row.expected[column])
    };
    let gate = of_path()
        .map(|row| row.expected[column])
        .find(|status| matches!(status, 401 | 403));
    match method {
        "OPTIONS" => Some(gate.unwrap_or(200)),
        "HEAD" => Some(gate.or(cell("GET")).unwrap_or(405)),
        _ if cell(method).is_some() => None,
        _ => Some(gate.unwrap_or(405)),
    }
}
