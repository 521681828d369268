//! Generated requests to the panel, sent by an admin with a session.

use super::values;
use crate::support::{Answer, Request, http::TINY_JPEG, random::Random};

/// The targets of requests.
pub(super) struct Scene {
    pub(super) screens: Vec<(&'static str, &'static str)>,
    /// The ids of a client and of their car.
    pub(super) user: String,
    pub(super) car: String,
    pub(super) username: String,
}

const IDS: [&str; 6] = ["0", "1", "2", "9223372036854775807", "99999999999999999999", "x"];

/// The fields of the panel's forms, with valid values. `{user}`, `{car}` and `{name}` are the client's, and
/// `{}` is an unused number.
const FIELDS: [(&str, &str); 37] = [
    ("brand", "Toyota"),
    ("model", "Camry"),
    ("year", "2023"),
    ("color", "red"),
    ("license", "L{}"),
    ("vin", "1HGCM82633A004352"),
    ("mileage", "5"),
    ("notes", "=n"),
    ("owner", "{name}"),
    ("username", "u{}"),
    ("email", "u{}@example.com"),
    ("first_name", "Ann"),
    ("last_name", "Lee"),
    ("phone", "1"),
    ("address", "a"),
    ("role", "client"),
    ("is_active", "true"),
    ("is_active", "false"),
    ("password", "Velvet-harbor-42"),
    ("password2", "Velvet-harbor-42"),
    ("old_password", "Quartz-meadow-71"),
    ("new_password", "Velvet-harbor-43"),
    ("version", "2026-11-24T18:30:00.123456Z"),
    ("action", "export_csv"),
    ("action", "export_json"),
    ("action", "deactivate"),
    ("action", "activate"),
    ("action", "end_logins"),
    ("action", "revoke"),
    ("action", "delete"),
    ("selected", "{user},{car}"),
    ("selected", "{car}"),
    ("confirmed", "1"),
    ("image-clear", "1"),
    ("_find", "1"),
    ("_pick", "{name}"),
    ("_continue", "1"),
];

const PARAMETERS: [&str; 20] = [
    "search",
    "brand",
    "year_min",
    "year_max",
    "mileage_min",
    "role",
    "is_active",
    "action",
    "object_type",
    "object_id",
    "actor",
    "at_min",
    "at_max",
    "state",
    "ordering",
    "limit",
    "offset",
    "owner",
    "q",
    "unknown",
];

const ORDERINGS: [&str; 8] = [
    "-at",
    "year,-brand,nonsense",
    "username,-last_login,email",
    "-issued_at,expires_at",
    "--year",
    ",,-,",
    "at,-at",
    "license,license",
];

const BACK: [&str; 4] = [
    "search=a&offset=50",
    "a\r\nSet-Cookie: b=c",
    "//evil.example",
    "\u{7f}\u{85}ü",
];

/// Returns a request without its cookies.
pub(super) fn request(random: &mut Random, scene: &Scene) -> Request {
    let (method, template) = *random.pick(&scene.screens);
    let own = if template.starts_with("/admin/cars/") {
        &scene.car
    } else {
        &scene.user
    };
    let id = if random.percent(85) {
        own.as_str()
    } else {
        random.pick(&IDS)
    };
    let query = if random.percent(50) {
        query(random, scene)
    } else {
        String::new()
    };
    let mut request = Request::new(method, &format!("{}{query}", template.replace("{id}", id)));
    if method == "POST" {
        let (kind, body) = body(random, scene);
        request = request.header("Content-Type", kind);
        request.body = body;
    }
    request
}

fn query(random: &mut Random, scene: &Scene) -> String {
    let mut query = String::new();
    for number in 0..=random.below(4) {
        let name = if random.percent(20) {
            "back"
        } else {
            random.pick(&PARAMETERS)
        };
        let value = match name {
            "ordering" if random.percent(80) => (*random.pick(&ORDERINGS)).to_owned(),
            "back" if random.percent(50) => (*random.pick(&BACK)).to_owned(),
            _ => values::text(random, &scene.username),
        };
        let value = values::encoded(random, &value);
        query.push(if number == 0 { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.push_str(&String::from_utf8_lossy(&value));
    }
    query
}

/// Returns most of the fields, some of them with invalid values.
fn fields(random: &mut Random, scene: &Scene) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    for (name, good) in FIELDS {
        let is_common = !matches!(
            name,
            "action" | "selected" | "_find" | "_pick" | "image-clear" | "version"
        );
        if !random.percent(if is_common { 85 } else { 25 }) {
            continue;
        }
        let unused = format!("{:x}", random.number() & 0xffff_ffff);
        let value = if random.percent(90) {
            good.replace("{}", &unused)
                .replace("{user}", &scene.user)
                .replace("{car}", &scene.car)
                .replace("{name}", &scene.username)
        } else {
            values::text(random, &scene.username)
        };
        fields.push((name, value));
    }
    fields
}

fn body(random: &mut Random, scene: &Scene) -> (&'static str, Vec<u8>) {
    let fields = fields(random, scene);
    if random.percent(60) {
        let encoded = fields.iter().flat_map(|(name, value)| {
            let value = values::encoded(random, value);
            [name.as_bytes(), b"=", &value, b"&"].concat()
        });
        return ("application/x-www-form-urlencoded", encoded.collect());
    }
    let mut body = Vec::new();
    for (name, value) in &fields {
        let part = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    if random.percent(40) {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n";
        body.extend(head.bytes());
        let cut = if random.percent(70) {
            0
        } else {
            random.below(TINY_JPEG.len())
        };
        body.extend(&TINY_JPEG[cut..]);
        body.extend(b"\r\n");
    }
    if random.percent(95) {
        body.extend(b"--XX--\r\n");
    }
    ("multipart/form-data; boundary=XX", body)
}

/// Returns the faults of a response.
pub(super) fn faults(answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |is_so: bool, what: &str| {
        if !is_so {
            faults.push(format!("{}: {what}: {}", answer.status, answer.text()));
        }
    };
    must(answer.status < 500, "the server failed");
    let kind = answer.header("Content-Type").unwrap_or_default();
    match answer.status {
        303 => {
            let location = answer.header("Location").unwrap_or_default();
            must(
                location.starts_with("/admin/") || location.starts_with("/api-auth/login/?"),
                "leads elsewhere",
            );
        }
        200 => {
            let is_known = [
                "text/html; charset=utf-8",
                "text/csv; charset=utf-8",
                "application/json",
            ];
            must(is_known.contains(&kind.as_str()), "of no known type");
        }
        _ => must(kind == "text/html; charset=utf-8", "an error is a page"),
    }
    if kind.starts_with("text/html") {
        must(
            answer.header("Content-Security-Policy").is_some(),
            "no Content-Security-Policy",
        );
        must(
            answer.text().trim_end().ends_with("</html>"),
            "the page breaks off",
        );
    }
    faults
}
