//! Sample pages.

use serde_json::json;

use super::super::*;
use crate::api::{ENDPOINTS, endpoint::Endpoint};

/// The data of a page, owned.
pub(super) struct Sample {
    pub(super) name: &'static str,
    endpoint: Option<&'static Endpoint>,
    title: String,
    description: String,
    method: &'static str,
    path: String,
    query: String,
    status: u16,
    headers: Vec<(&'static str, String)>,
    json: String,
    username: Option<String>,
    /// Whether the page offers operations.
    is_open: bool,
    object: Option<Map<String, Value>>,
    fields: Option<(Method, Vec<(String, String)>)>,
    raw: Option<(Method, String, String)>,
}

impl Sample {
    fn new(name: &'static str, path: &str, json: &Value) -> Self {
        let endpoint = navigation::endpoint_at(path);
        Self {
            name,
            endpoint,
            title: endpoint.map_or("Not found", |endpoint| endpoint.name).to_owned(),
            description: endpoint.map_or("", |endpoint| endpoint.description).to_owned(),
            method: "GET",
            path: path.to_owned(),
            query: String::new(),
            status: 200,
            headers: vec![
                ("Allow", endpoint.map_or(String::new(), Endpoint::allow)),
                ("Content-Type", "application/json".to_owned()),
                ("Vary", "Accept".to_owned()),
            ],
            json: json.to_string(),
            username: Some("karim".to_owned()),
            is_open: true,
            object: None,
            fields: None,
            raw: None,
        }
    }

    /// Creates a page of an error response.
    fn error(name: &'static str, status: u16, detail: &str) -> Self {
        Self {
            status,
            is_open: false,
            title: reason(status).to_owned(),
            description: String::new(),
            ..Self::new(name, CARS, &json!({"detail": detail}))
        }
    }

    pub(super) fn html(&self) -> String {
        let operations: Vec<&'static Operation> = match self.endpoint {
            Some(endpoint) if self.is_open => endpoint.operations.iter().collect(),
            _ => Vec::new(),
        };
        render(&Page {
            title: &self.title,
            description: &self.description,
            method: self.method,
            path: &self.path,
            query: &self.query,
            base_url: "http://localhost",
            status: self.status,
            headers: &self.headers,
            json: self.json.as_bytes(),
            username: self.username.as_deref(),
            is_admin: self.username.is_some(),
            csrf_token: self.username.as_ref().map_or("", |_| "csrf"),
            operations: &operations,
            object: self.object.as_ref(),
            sent: match (&self.fields, &self.raw) {
                (Some((method, fields)), _) => Sent::Fields(*method, fields),
                (_, Some((method, text, media_type))) => Sent::Raw(*method, text, media_type),
                _ => Sent::Nothing,
            },
            list: self
                .endpoint
                .filter(|_| self.is_open)
                .and_then(|endpoint| endpoint.list),
            is_shortened: false,
            is_cut: false,
            file: None,
            elapsed: Duration::from_micros(3_210),
        })
    }
}

fn car(id: i64, text: &str) -> Value {
    json!({
        "id": id, "brand": text, "model": "i3", "year": 2007, "color": "green", "license": format!("PS-{id}-YS"),
        "vin": "W5GR2GPUXZ9C6VYKT", "mileage": 61300, "owner": 2, "owner_name": "Karim Haddad",
        "owner_username": "karim", "image": null, "notes": text,
        "created_at": "2026-11-23T10:14:14.406814Z", "updated_at": "2026-11-23T10:23:23.329973Z",
    })
}

fn user(text: &str) -> Value {
    json!({
        "id": 3, "username": text, "email": "ann@example.com", "first_name": text, "last_name": "Lee",
        "role": "client", "phone": null, "address": text, "is_active": true, "is_superuser": false,
        "date_joined": "2026-11-23T10:14:14.406814Z", "last_login": null,
        "created_at": "2026-11-23T10:14:14.406814Z", "updated_at": "2026-11-23T10:14:14.406814Z",
    })
}

fn entry() -> Value {
    json!({
        "id": 5, "at": "2026-11-23T10:23:23.329973Z", "action": "changed", "object_type": "car", "object_id": "62",
        "object": "BMW i3 (PS-62-YS)", "actor": 2, "actor_name": "karim", "channel": "api",
        "changes": [{"field": "image", "before": null, "after": "/media/cars/car_62_9a8ad5c0.jpg"}],
    })
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

const CARS: &str = "/api/cars/";
const CAR: &str = "/api/cars/62/";

/// Returns a page of each kind, with `text` in every place that can hold text.
pub(super) fn samples(text: &str) -> Vec<Sample> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("search", text)
        .append_pair("brand", text)
        .append_pair("ordering", text)
        .append_pair("other", text)
        .append_pair(text, text)
        .finish();
    let mut pictured = car(12, text);
    pictured["image"] = json!(format!("/media/{text}"));
    let filled: Vec<(String, String)> = ["brand", "notes", "year", "unknown"]
        .map(|name| (name.to_owned(), text.to_owned()))
        .into();
    let refusal = json!({"brand": [text], text: [text], "year": [text], "non_field_errors": [text]});
    let mut pages = vec![
        Sample {
            query,
            title: text.to_owned(),
            description: text.to_owned(),
            username: Some(text.to_owned()),
            headers: vec![
                ("Location", format!("/api/cars/{text}")),
                ("X-Other", text.to_owned()),
            ],
            status: 201,
            ..Sample::new("list", CARS, &json!([car(7, text), {text: text}]))
        },
        Sample {
            path: format!("/api/{}/", text.replace(['/', '\\'], "-")),
            query: text.to_owned(),
            ..Sample::new("path", CAR, &json!(text))
        },
        Sample {
            object: pictured.as_object().cloned(),
            ..Sample::new("detail", "/api/cars/12/", &pictured)
        },
        Sample {
            object: user(text).as_object().cloned(),
            ..Sample::new("user", "/api/admin/users/3/", &user(text))
        },
        Sample {
            status: 400,
            method: "POST",
            fields: Some((Method::Post, filled)),
            ..Sample::new("fields", CARS, &refusal)
        },
        Sample {
            status: 400,
            method: "PUT",
            raw: Some((Method::Put, text.to_owned(), text.to_owned())),
            ..Sample::new("raw", "/api/cars/12/", &refusal)
        },
        Sample {
            status: 400,
            query: "year=x".to_owned(),
            ..Sample::new("filter", CARS, &json!({"year": [text]}))
        },
    ];
    pages.push(Sample::error("error", 404, text));
    pages
}

fn typical() -> Vec<Sample> {
    let mut pictured = car(62, "BMW");
    pictured["image"] = json!("/media/cars/car_62_9a8ad5c0.jpg");
    pictured["notes"] = json!("Serviced at 60,000 km, new front pads.");
    let cars: Vec<Value> = (7..9).map(|id| car(id, "BMW")).collect();
    let twenty: Vec<Value> = (1..21).map(|id| car(id, "Volkswagen")).collect();
    let page = json!({
        "count": 57, "next": "http://localhost/api/cars/?limit=20&offset=40", "previous":
        "http://localhost/api/cars/?limit=20&ordering=-year%2Cbrand", "results": cars,
    });
    let paged = "limit=20&offset=20&search=e&brand=BMW&year_min=2000&ordering=-year%2Cbrand&other=kept";
    vec![
        Sample::new(
            "root",
            "/api/",
            &json!({
                "cars": "http://localhost/api/cars/", "me": "http://localhost/api/me/",
                "token": "http://localhost/api/token/", "admin/users": "http://localhost/api/admin/users/",
            }),
        ),
        Sample::new("list", CARS, &json!(cars)),
        Sample {
            query: paged.to_owned(),
            ..Sample::new("paged-list", CARS, &page)
        },
        Sample {
            query: "limit=20".to_owned(),
            ..Sample::new(
                "twenty-cars",
                CARS,
                &json!({
                    "count": 57, "next": "http://localhost/api/cars/?limit=20&offset=20", "previous": null, "results": twenty,
                }),
            )
        },
        Sample {
            object: pictured.as_object().cloned(),
            ..Sample::new("detail", CAR, &pictured)
        },
        Sample {
            object: user("Ann").as_object().cloned(),
            ..Sample::new("user", "/api/admin/users/3/", &user("Ann"))
        },
        Sample::new("users", "/api/admin/users/", &json!([user("Ann")])),
        Sample {
            query: "action=changed&at_min=2026-11-23".to_owned(),
            ..Sample::new(
                "history",
                "/api/admin/history/",
                &json!({"count": 1, "next": null, "previous": null, "results": [entry()]}),
            )
        },
        Sample::new(
            "history-of-car",
            "/api/cars/62/history/",
            &json!({"count": 1, "next": null, "previous": null, "results": [entry()]}),
        ),
        Sample {
            status: 405,
            ..Sample::new(
                "upload",
                "/api/cars/62/upload-image/",
                &json!({"detail": "HttpMethod \"GET\" not allowed."}),
            )
        },
        Sample {
            method: "POST",
            status: 201,
            headers: vec![("Location", "/api/cars/8/".to_owned())],
            ..Sample::new("created", CARS, &car(8, "BMW"))
        },
        Sample {
            method: "DELETE",
            status: 204,
            json: String::new(),
            is_open: false,
            ..Sample::new("deleted", CAR, &json!(null))
        },
        Sample {
            method: "OPTIONS",
            json: serde_json::to_string(&crate::api::metadata::Metadata::new(ENDPOINTS[8], true)).unwrap(),
            ..Sample::new("options", CARS, &json!(null))
        },
    ]
}

fn refused() -> Vec<Sample> {
    let errors = json!({
        "model": ["This field may not be blank."], "year": ["A valid integer is required."],
        "license": ["car with this license already exists."], "non_field_errors": ["Something belongs to no field."],
    });
    let sent = [
        ("brand", "Renault"),
        ("model", ""),
        ("year", "soon"),
        ("license", "PS-215-YS"),
        ("notes", "a\nb"),
    ];
    let mut refused = vec![
        Sample {
            method: "POST",
            status: 400,
            fields: Some((Method::Post, pairs(&sent))),
            ..Sample::new("refused-form", CARS, &errors)
        },
        Sample {
            method: "PUT",
            status: 400,
            raw: Some((
                Method::Put,
                "{\"brand\": }".to_owned(),
                "application/json".to_owned(),
            )),
            object: car(62, "BMW").as_object().cloned(),
            ..Sample::new(
                "refused-raw",
                CAR,
                &json!({"detail": "JSON parse error - the body is not valid JSON: line 1 column 11"}),
            )
        },
        Sample {
            method: "PUT",
            status: 400,
            fields: Some((
                Method::Put,
                pairs(&[("old_password", "secret"), ("new_password", "secret")]),
            )),
            ..Sample::new(
                "refused-password",
                "/api/change-password/",
                &json!({"old_password": ["Wrong password."]}),
            )
        },
        Sample {
            query: "year=x".to_owned(),
            status: 400,
            ..Sample::new("wrong-filter", CARS, &json!({"year": ["Enter a number."]}))
        },
        Sample {
            username: None,
            ..Sample::error("401", 401, "Authentication credentials were not provided.")
        },
        Sample {
            username: None,
            status: 405,
            ..Sample::new(
                "token",
                "/api/token/",
                &json!({"detail": "HttpMethod \"GET\" not allowed."}),
            )
        },
    ];
    refused.push(Sample {
        method: "POST",
        username: None,
        status: 401,
        fields: Some((
            Method::Post,
            pairs(&[("username", "karim"), ("password", "secret")]),
        )),
        ..Sample::new(
            "refused-token",
            "/api/token/",
            &json!({"detail": "No active account found with the given credentials", "code": "for_programs"}),
        )
    });
    for (name, status) in [
        ("403", 403),
        ("404", 404),
        ("408", 408),
        ("413", 413),
        ("429", 429),
        ("500", 500),
        ("503", 503),
    ] {
        refused.push(Sample::error(name, status, "What is said of it."));
    }
    refused
}

/// Returns the HTML of every page, by its name.
pub(super) fn all() -> Vec<(&'static str, String)> {
    let login = Login {
        next: "/api/cars/?limit=20",
        username: "karim",
        error: Some("Please enter a correct username and password."),
        reset_path: None,
        resend_path: None,
        csrf_token: "csrf",
    };
    let pages = typical()
        .into_iter()
        .chain(refused())
        .map(|sample| (sample.name, sample.html()));
    pages.chain([("login", render_login(&login))]).collect()
}

/// Returns a sample by its name.
pub(super) fn sample(name: &str) -> Sample {
    let mut samples = typical().into_iter().chain(refused());
    samples.find(|sample| sample.name == name).unwrap()
}

/// Returns the HTML of one page.
pub(super) fn html(name: &str) -> String {
    sample(name).html()
}
