//! The OpenAPI document: it describes all routes and no others, its examples are accepted, and the copy in
//! the repository is current. The contract tests compare responses with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use mycars_domain::values::{Brand, Username, Vin};
use serde_json::{Value, json};

use crate::support::{
    Installation, Request, Server,
    accounts::{SUPERUSER_PASSWORD, log_in},
    document::{Document, METHODS},
    on_sqlite,
};

on_sqlite!(paths_accept_documented_methods_alone, example_bodies_are_accepted,);

/// Routes for browsers, which are not in the document.
const PAGES: [&str; 11] = [
    "/",
    "/api-auth/login/",
    "/api-auth/logout/",
    "/api-auth/password/reset/",
    "/api-auth/password/reset/confirm/",
    "/api-auth/email/verify/",
    "/api-auth/email/verify/resend/",
    "/api-auth/email/undo/",
    "/api/docs/",
    "/static/{name}",
    "/favicon.ico",
];

/// Returns the document that the program prints.
fn printed() -> String {
    Installation::empty().run(&["openapi"]).success()
}

#[test]
fn document_in_repository_is_current() {
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::write(&copy, printed()).unwrap();
    }
    let is_same = std::fs::read_to_string(&copy).is_ok_and(|kept| kept == printed());
    assert!(
        is_same,
        "docs/openapi.json is not what `mycars openapi` prints. Make it anew: UPDATE_DOCS=1 cargo test -p \
         mycars-server --test it openapi"
    );
}

#[test]
fn served_document_is_the_printed_one_with_absolute_base_url() {
    let installation = Installation::empty();
    let server = installation.start();
    let base_url = format!("http://{}", server.address());
    let get = |path: &str, accept: &str| server.send(&Request::get(path).header("Accept", accept));
    for (path, accept, format, media_type) in [
        ("/api/schema/", "*/*", "json", "application/json"),
        ("/api/schema", "application/json", "json", "application/json"),
        (
            "/api/schema/",
            "application/vnd.oai.openapi+json",
            "json",
            "application/vnd.oai.openapi+json",
        ),
        (
            "/api/schema/",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "json",
            "application/json",
        ),
        ("/api/schema/?format=json", "*/*", "json", "application/json"),
        ("/api/schema/?format=yaml", "*/*", "yaml", "application/yaml"),
        ("/api/schema/", "application/yaml", "yaml", "application/yaml"),
        (
            "/api/schema/",
            "application/vnd.oai.openapi",
            "yaml",
            "application/vnd.oai.openapi",
        ),
    ] {
        let answer = get(path, accept);
        assert_eq!(answer.status, 200, "{path} {accept}");
        assert_eq!(
            answer.header("Content-Type").as_deref(),
            Some(media_type),
            "{path} {accept}"
        );
        let vary = answer.header("Vary").unwrap_or_default();
        assert!(vary.split(", ").any(|name| name == "Accept"), "{vary}");
        let printed = installation.run(&["openapi", "--format", format]).success();
        let expected = match format {
            "yaml" => printed.replacen("url: /\n", &format!("url: {base_url}\n"), 1),
            _ => printed.replacen(r#""url": "/""#, &format!(r#""url": "{base_url}""#), 1),
        };
        assert_ne!(printed, expected, "the printed document has a relative base URL");
        assert_eq!(answer.text().trim_end(), expected.trim_end(), "{path} {accept}");
    }
    assert_eq!(get("/api/schema/", "text/html").status, 406);
    assert_eq!(get("/api/schema/?format=yaml", "application/json").status, 406);
    assert_eq!(get("/api/schema/?format=xml", "*/*").status, 404);
    for path in ["/api/schema/", "/api/docs/"] {
        let answer = server.send(&Request::post(path, &json!({})));
        assert_eq!(answer.json(405)["detail"], "Method \"POST\" not allowed.");
        assert_eq!(answer.header("Allow").as_deref(), Some("GET, HEAD"), "{path}");
    }
}

#[test]
fn served_document_names_the_base_url_of_the_request() {
    let base_url = |trusted: &str, headers: &[(&str, &str)]| {
        let installation = Installation::empty()
            .with("ALLOWED_HOSTS", "cars.example.org,localhost,[::1]")
            .with("SECRET_KEY", "b7c41f90e2a86d35c9f01e7a4d82b563")
            .with("MYCARS__SERVER__TRUSTED_PROXIES", trusted);
        let server = installation.start();
        let request = headers
            .iter()
            .fold(Request::get("/api/schema/"), |request, (name, value)| {
                request.header(name, value)
            });
        let answer = server.send(&request);
        match answer.status {
            200 => answer.json(200)["servers"].clone(),
            other => other.into(),
        }
    };
    let https = ("X-Forwarded-Proto", "https");
    for (trusted, headers, expected) in [
        ("", &[("Host", "localhost:1234")][..], "http://localhost:1234"),
        ("", &[("Host", "[::1]:1234")], "http://[::1]:1234"),
        (
            "",
            &[("Host", "cars.example.org"), https],
            "http://cars.example.org",
        ),
        (
            "127.0.0.1",
            &[("Host", "cars.example.org"), https],
            "https://cars.example.org",
        ),
        (
            "127.0.0.1",
            &[("Host", "Cars.Example.org")],
            "http://Cars.Example.org",
        ),
    ] {
        let servers = base_url(trusted, headers);
        assert_eq!(servers, json!([{"url": expected}]), "{trusted:?} {headers:?}");
    }
    assert_eq!(base_url("", &[("Host", "elsewhere.example.com")]), 400);
    assert_eq!(base_url("", &[("Host", "localhost\"")]), 400);
}

#[test]
fn openapi_command_needs_no_settings() {
    let installation = Installation::empty()
        .with("DEBUG", "false")
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/x");
    let document: Value = serde_json::from_str(&installation.run(&["openapi"]).success()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"], json!([{"url": "/"}]));
    assert_eq!(
        document["info"]["license"],
        json!({"name": "MIT", "identifier": "MIT"})
    );
    assert!(!installation.path("data").exists(), "nothing is made");
}

#[test]
fn document_matches_routes() {
    let document: Value = serde_json::from_str(&printed()).unwrap();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let routed: BTreeSet<_> = mycars_http::paths().into_iter().collect();
    let pages: BTreeSet<_> = PAGES.into();
    assert!(
        pages.is_subset(&routed),
        "{:?} is not served",
        pages.difference(&routed)
    );
    let to_describe: BTreeSet<_> = routed.difference(&pages).copied().collect();
    assert_eq!(described, to_describe);
}

#[test]
fn response_unlike_document_is_reported() {
    let installation = Installation::empty();
    let server = installation.start();
    let document = Document::of(&server);
    let faults = |path: &str, status: u16, body: &Value| {
        let mut answer = server.send(&Request::get("/health/live"));
        answer.status = status;
        answer.body = body.to_string().into_bytes();
        document.faults(&Request::get(path), &answer).len()
    };
    let tokens = json!({"count": 0, "next": null, "previous": null, "results": []});
    assert_eq!(faults("/api/cars/?limit=1", 200, &tokens), 0);
    assert_eq!(faults("/api/cars", 200, &json!([])), 0);
    assert_eq!(faults("/api/cars/", 200, &json!({"count": 0})), 1);
    assert_eq!(
        faults("/api/cars/7/", 200, &json!({"id": 7})) + 1,
        document.json["components"]["schemas"]["Car"]["required"]
            .as_array()
            .unwrap()
            .len(),
        "one for each missing field"
    );
    assert_eq!(faults("/api/cars/7/", 418, &json!({})), 1);
    assert_eq!(faults("/health/live", 200, &json!({"status": "ill"})), 1);
    assert_eq!(faults("/media/cars/a.jpg", 200, &json!({"no": "picture"})), 1);
    assert_eq!(faults("/api/cars/?format=xml", 418, &json!({})), 1);
    assert_eq!(
        faults("/api/cars/7/", 404, &json!({"detail": "No.", "more": 1})),
        1
    );
}

#[test]
fn examples_match_their_schemas() {
    let installation = Installation::empty();
    let server = installation.start();
    let document = Document::of(&server);
    let mut shown = 0;
    for content in contents(&document.json) {
        let validator = document.validator(&content["schema"]);
        let several = content["examples"]
            .as_object()
            .into_iter()
            .flat_map(|it| it.values());
        for example in content
            .get("example")
            .into_iter()
            .chain(several.map(|it| &it["value"]))
        {
            let faults: Vec<_> = validator.iter_errors(example).map(|it| it.to_string()).collect();
            assert!(faults.is_empty(), "{example}: {faults:?}");
            shown += 1;
        }
    }
    assert!(shown > 70, "only {shown} examples were found");
}

#[test]
fn patterns_accept_values_of_the_domain() {
    let installation = Installation::empty();
    let document = Document::of(&installation.start());
    let agrees = |schema: &str, field: &str, text: &str, is_taken: bool| {
        let schema = document.json["components"]["schemas"][schema]["properties"][field].clone();
        let fits = document.validator(&schema).is_valid(&text.into());
        assert_eq!(fits, is_taken, "{field} {text:?}");
    };
    for vin in [
        "1HGBH41JXMN109186",
        "1hgbh41jxmn109186",
        "1HGBH41JXMN10918O",
        "1HGBH41JXMN10918I",
        "1HGBH41JXMN10918Q",
        "1HGBH41JXMN10918Ü",
        "1HGBH41JXMN10918",
        "1HGBH41JXMN1091866",
        "1HGBH41JXMN 10918",
    ] {
        agrees("CarRequest", "vin", vin, Vin::parse(vin).is_ok());
    }
    agrees("CarRequest", "vin", "", true);
    let longest = "n".repeat(Username::MAX_LENGTH);
    let too_long = format!("{longest}n");
    for username in [
        "ann",
        "Ann.Lee+1@x_-",
        "Åsa",
        "李",
        "two words",
        "a\u{1}",
        "a\u{7f}",
        "a\tb",
        "a/b",
        "a^b",
        "a`b",
        "a*b",
        "a[b",
        "",
        &longest,
        &too_long,
    ] {
        agrees(
            "RegistrationRequest",
            "username",
            username,
            Username::parse(username).is_ok(),
        );
    }
    for brand in ["Toyota", " ", "", "T"] {
        agrees("CarRequest", "brand", brand, Brand::parse(brand).is_ok());
    }
}

#[test]
fn links_provide_parameters_of_operations() {
    let document: Value = serde_json::from_str(&printed()).unwrap();
    let mut needs = BTreeMap::new();
    let mut links = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["parameters"].as_array().into_iter().flatten();
        let needed: BTreeSet<_> = parameters
            .filter(|it| it["in"] == "path")
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        let operations = item
            .as_object()
            .unwrap()
            .values()
            .filter(|it| it.get("operationId").is_some());
        for operation in operations {
            let id = operation["operationId"].as_str().unwrap();
            assert!(
                needs.insert(id, needed.clone()).is_none(),
                "{id} is the name of two"
            );
            let answers = operation["responses"].as_object().unwrap().values();
            links.extend(
                answers
                    .flat_map(|it| it["links"].as_object().into_iter().flatten())
                    .map(|it| (path, it.1)),
            );
        }
    }
    for (path, link) in &links {
        let given: BTreeSet<_> = link["parameters"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            needs.get(link["operationId"].as_str().unwrap()),
            Some(&given),
            "{path}: {link}"
        );
    }
    let from = |path: &str| links.iter().filter(|(from, _)| *from == path).count();
    assert_eq!(from("/api/cars/"), 7, "all that can be done with a car");
    assert_eq!(
        from("/api/admin/users/"),
        7,
        "links to all operations on a user and on their cars"
    );
    assert_eq!(from("/api/admin/users/{user_id}/cars/"), 7);
}

/// Returns all bodies that are described as JSON, at any depth.
fn contents(value: &Value) -> Vec<&Value> {
    let inner = match value {
        Value::Object(object) => object.values().collect(),
        Value::Array(array) => array.iter().collect(),
        _ => Vec::new(),
    };
    let own = value
        .get("content")
        .and_then(|content| content.get("application/json"));
    own.into_iter()
        .chain(inner.into_iter().flat_map(contents))
        .collect()
}

/// Sends requests of an admin about missing objects, so that nothing is changed.
fn paths_accept_documented_methods_alone(installation: &Installation) {
    let (server, access) = start(installation);
    let document = Document::of(&server);
    for (template, operations) in document.operations() {
        let path = template
            .replace("{user_id}", "999999999")
            .replace("{car_id}", "999999999")
            .replace("{login_id}", "999999999")
            .replace("{key_id}", "999999999")
            .replace("{file}", "nothing.jpg");
        for method in METHODS {
            let is_described = operations.contains_key(method);
            let answer = server.send(&Request::new(method, &path).bearer(&access).json(&json!({})));
            assert_eq!(
                answer.status != 405,
                is_described,
                "{method} {template}: {}",
                answer.status
            );
        }
        let options = server.send(&Request::new("OPTIONS", &path).bearer(&access));
        if let (200, Some(allow)) = (options.status, options.header("Allow")) {
            let described: Vec<_> = METHODS
                .into_iter()
                .filter(|it| operations.contains_key(*it))
                .collect();
            let allowed: Vec<_> = allow.split(", ").filter(|it| METHODS.contains(it)).collect();
            assert_eq!(allowed, described, "{template}");
        }
    }
}

/// Sends all example bodies to their paths, as a caller that is authorized.
fn example_bodies_are_accepted(installation: &Installation) {
    let (server, root) = start(installation);
    let document = Document::of(&server);
    let operations = document.operations();
    let example = |method: &str, path: &str| {
        operations[path][method]["requestBody"]["content"]["application/json"]["example"].clone()
    };
    let send = |method: &str, template: &str, path: &str, access: Option<&str>, status: u16| {
        let mut request = Request::new(method, path).json(&example(method, template));
        if let Some(access) = access {
            request = request.bearer(access);
        }
        let answer = server.send(&request);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(document.faults(&request, &answer), Vec::<String>::new());
        answer.json(status)
    };
    let ann = send("POST", "/api/register/", "/api/register/", None, 201)["id"].clone();
    let tokens = send("POST", "/api/token/", "/api/token/", None, 200);
    let access = tokens["access"].as_str();
    send("PATCH", "/api/me/", "/api/me/", access, 200);
    let car = send("POST", "/api/cars/", "/api/cars/", access, 201)["id"].clone();
    let (list, detail) = (
        "/api/admin/users/{user_id}/cars/",
        "/api/admin/users/{user_id}/cars/{car_id}/",
    );
    let at = |template: &str| {
        template
            .replace("{user_id}", &ann.to_string())
            .replace("{car_id}", &car.to_string())
    };
    for method in ["PUT", "PATCH"] {
        send(
            method,
            "/api/cars/{car_id}/",
            &at("/api/cars/{car_id}/"),
            access,
            200,
        );
        send(method, detail, &at(detail), Some(&root), 200);
        send(
            method,
            "/api/admin/users/{user_id}/",
            &at("/api/admin/users/{user_id}/"),
            Some(&root),
            200,
        );
    }
    let delete = Request::new("DELETE", &at(detail)).bearer(&root);
    assert_eq!(server.send(&delete).status, 204);
    send("POST", list, &at(list), Some(&root), 201);
    // The administrator changed her password, which may have ended other tokens, but not this one.
    send(
        "PUT",
        "/api/change-password/",
        "/api/change-password/",
        access,
        200,
    );
    let delete = Request::new("DELETE", &at("/api/admin/users/{user_id}/")).bearer(&root);
    assert_eq!(server.send(&delete).status, 204);
    send("POST", "/api/admin/users/", "/api/admin/users/", Some(&root), 201);
}

/// Starts a server, and returns it with the access token of its superuser.
fn start(installation: &Installation) -> (Server, String) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    (server, access)
}
