//! Generated requests: most of them almost valid, so that they pass most checks.

use super::{bodies, values};
use crate::support::random::Random;

/// The targets of requests.
pub(super) struct Scene {
    pub(super) host: String,
    pub(super) routes: Vec<(&'static str, &'static str)>,
    /// The ids of a client and of their car.
    pub(super) user: String,
    pub(super) car: String,
    pub(super) image: String,
    pub(super) username: String,
    /// The client's.
    pub(super) refresh: String,
    /// The access tokens of a superuser and of the client.
    pub(super) tokens: [String; 2],
}

const IDS: [&str; 17] = [
    "0",
    "00",
    "1",
    "-1",
    "+1",
    "1.0",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999",
    "abc",
    "%31",
    "%00",
    "%ff",
    "1%2F2",
    "..",
    "%D9%A3",
    "1;2",
];

const PATHS: [&str; 22] = [
    "/",
    "//",
    "/api",
    "/api//cars/",
    "/api/nothing/",
    "/api/cars/%",
    "/api/./cars/",
    "/API/cars/",
    "/health/live",
    "/health/ready",
    "/health/ready/",
    "/media",
    "/media/",
    "/media/cars",
    "/media/cars/",
    "/media/../Cargo.toml",
    "/media/cars/..%2f..%2fmycars.sqlite3",
    "/media/%2e%2e/%2e%2e/etc/passwd",
    "/media/cars/%00.jpg",
    "/media/cars/.tmp-a",
    "/media//etc/passwd",
    "/media/cars/a%ffb.jpg",
];

/// The lists, which have query parameters.
const LISTS: [(&str, &str); 5] = [
    ("GET", "/api/cars/"),
    ("GET", "/api/admin/users/"),
    ("GET", "/api/admin/users/{user_id}/cars/"),
    ("GET", "/api/cars/{car_id}/history/"),
    ("GET", "/api/admin/history/"),
];

const METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get",
];

const PARAMETERS: [&str; 26] = [
    "search",
    "brand",
    "model",
    "year",
    "color",
    "license",
    "vin",
    "year_min",
    "year_max",
    "mileage_min",
    "mileage_max",
    "ordering",
    "limit",
    "offset",
    "role",
    "is_active",
    "action",
    "object_type",
    "object_id",
    "actor",
    "at_min",
    "at_max",
    "format",
    "unknown",
    "",
    "a[b]",
];

const ORDERINGS: [&str; 9] = [
    "at",
    "year",
    "-mileage,brand",
    "created_at,-created_at",
    "--year",
    "last_login",
    "-last_login",
    "password",
    "-",
];

const ACCEPTS: [&str; 12] = [
    "application/json",
    "*/*",
    "text/html",
    "image/*",
    "application/json; indent=4",
    "application/json;indent=99999",
    "application/json; q=0",
    "text/html, application/json;q=0.1",
    ",",
    ";q=1",
    "a/b/c",
    "*",
];

/// Valid and almost valid dates and times.
const MOMENTS: [&str; 10] = [
    "2026-11-24",
    "2026-11-24T18:30:00.123456Z",
    "2026-11-24T18:30+14:00",
    "0001-01-01",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31",
    "9999-12-31T23:59:59.999999Z",
    "2026-02-30",
    "10000-01-01",
    "2026-11-24T18:30:60",
];

/// Headers that are difficult for servers. `\xff` cannot be in a string, so a byte of Latin-1 is inserted into one.
const HEADERS: [(&str, &str); 24] = [
    ("Range", "bytes=0-0"),
    ("Range", "bytes=-99999999999999999999"),
    ("Range", "bytes=5-1,,"),
    ("Range", "pages=1"),
    ("If-None-Match", "*"),
    ("If-None-Match", "\"a\", W/\"b\""),
    ("If-None-Match", "\"unclosed"),
    ("If-Match", "\"x\""),
    ("If-Modified-Since", "Thu, 99 Foo 2026 00:00:00 GMT"),
    ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("Origin", "https://evil.example"),
    ("Origin", "null"),
    ("Origin", "ü"),
    ("Access-Control-Request-Method", "PATCH"),
    ("X-Forwarded-For", "1.2.3.4, evil"),
    ("Forwarded", "for=\"[::1"),
    ("X-Http-Method-Override", "DELETE"),
    ("Cookie", "sessionid=1; =; a"),
    ("Content-Encoding", "gzip"),
    ("Accept-Encoding", "gzip, br;q=x"),
    ("Accept-Language", "de-DE,,;q"),
    ("X-Request-Id", "mine"),
    ("Upgrade", "h2c"),
];

/// Returns the bytes of a request.
pub(super) fn request(random: &mut Random, scene: &Scene) -> Vec<u8> {
    let is_list = random.percent(30);
    let (own_method, route) = *random.pick(if is_list { &LISTS } else { &scene.routes });
    let method = if random.percent(if is_list { 99 } else { 80 }) {
        own_method
    } else {
        random.pick(&METHODS)
    };
    let (kind, body) = bodies::body(random, scene, route);
    let mut request = format!("{method} ").into_bytes();
    request.extend(path(random, scene, route));
    if is_list || random.percent(10) {
        request.extend(query(random, scene));
    }
    request.extend(b" HTTP/1.1\r\n");
    let host = if random.percent(97) {
        &scene.host
    } else {
        "evil.example"
    };
    header(&mut request, "Host", host.as_bytes());
    if let Some(credentials) = authorization(random, scene) {
        header(&mut request, "Authorization", credentials.as_bytes());
    }
    if random.percent(10) {
        header(&mut request, "Accept", random.pick(&ACCEPTS).as_bytes());
    }
    if random.percent(15) {
        let (name, value) = random.pick(&HEADERS);
        header(&mut request, name, value.as_bytes());
    }
    if let Some(kind) = kind {
        header(&mut request, "Content-Type", &kind);
    }
    add_body(random, &mut request, &body);
    request
}

fn header(request: &mut Vec<u8>, name: &str, value: &[u8]) {
    request.extend(name.as_bytes());
    request.extend(b": ");
    request.extend(value);
    request.extend(b"\r\n");
}

/// Ends the head and adds the body, as a whole or in chunks.
fn add_body(random: &mut Random, request: &mut Vec<u8>, body: &[u8]) {
    if !body.is_empty() && random.percent(5) {
        header(request, "Transfer-Encoding", b"chunked");
        request.extend(b"\r\n");
        request.extend(crate::support::raw::chunked(body, 1 + random.below(5000)));
    } else {
        header(request, "Content-Length", body.len().to_string().as_bytes());
        request.extend(b"\r\n");
        request.extend(body);
    }
}

fn path(random: &mut Random, scene: &Scene, route: &str) -> Vec<u8> {
    match random.below(20) {
        0 => random.pick(&PATHS).as_bytes().to_vec(),
        1 => scene.image.clone().into_bytes(),
        2 => format!("/media/cars/{}", "a".repeat(random.below(3000))).into_bytes(),
        chosen => {
            let mut fill = |name: &str, own: &str, path: String| {
                let id = if random.percent(80) {
                    own
                } else {
                    random.pick(&IDS)
                };
                path.replace(name, id)
            };
            let path = fill("{user_id}", &scene.user, route.to_owned());
            let path = fill("{car_id}", &scene.car, path);
            // The scene needs its first login.
            let path = fill("{login_id}", "999", path);
            let path = fill("{key_id}", "1", path);
            let path = if chosen == 3 {
                path.trim_end_matches('/')
            } else {
                &path
            };
            path.as_bytes().to_vec()
        }
    }
}

fn query(random: &mut Random, scene: &Scene) -> Vec<u8> {
    let mut query = Vec::new();
    for number in 0..=random.below(4) {
        query.push(if number == 0 { b'?' } else { b'&' });
        let name = *random.pick(&PARAMETERS);
        query.extend(name.as_bytes());
        query.push(b'=');
        let value = match name {
            "ordering" if random.percent(80) => (*random.pick(&ORDERINGS)).to_owned(),
            "search" if random.percent(25) => words(random),
            "at_min" | "at_max" if random.percent(60) => (*random.pick(&MOMENTS)).to_owned(),
            _ => values::text(random, &scene.username),
        };
        query.extend(values::encoded(random, &value));
    }
    query
}

/// Returns more words than a realistic search has.
fn words(random: &mut Random) -> String {
    let word = random.pick(&["a ", "a,", "' ", "\"a\" "]);
    word.repeat(random.below(5000))
}

fn authorization(random: &mut Random, scene: &Scene) -> Option<String> {
    let [root, client] = &scene.tokens;
    Some(match random.below(20) {
        0..=8 => format!("Bearer {root}"),
        9..=14 => format!("Bearer {client}"),
        15 => format!("Bearer {}", scene.refresh),
        16 => {
            let cut = random.below(client.len());
            format!("Bearer {}", &client[..cut])
        }
        17 => (*random.pick(&[
            "Bearer",
            "Bearer a b c",
            "bearer x",
            "Basic YTpi",
            "Bearer ü",
            "",
            "Bearer ..",
            "Bearer e30.e30.e30",
        ]))
        .to_owned(),
        _ => return None,
    })
}
