//! The admin panel, through the forms of its pages and through forged forms.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, Tokens, join, log_in, login, me, new_car, plates, register},
    at_once,
    browser::{Browser, cookie, escape, form},
    http::TINY_JPEG,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
};

on_both_databases!(
    panel_without_admin_session_redirects_or_is_forbidden,
    demotion_and_deactivation_take_effect_at_once,
    form_without_csrf_proof_is_forbidden,
    change_of_superuser_by_admin_is_forbidden,
    own_demotion_and_deactivation_are_forbidden,
    form_with_old_version_returns_conflict,
    delete_removes_objects_counted_on_page,
    delete_with_old_version_returns_conflict,
    concurrent_delete_and_change_do_not_both_succeed,
    bulk_delete_with_old_versions_asks_again,
    bulk_delete_removes_objects_counted_on_page,
    bulk_delete_does_not_count_undeletable_users,
    upload_of_too_large_picture_returns_413,
    bulk_action_on_all_pages_streams_progress,
    bulk_action_skips_refused_rows,
    bulk_end_of_all_logins_ends_own_last,
    bulk_action_on_changed_selection_asks_again,
    export_has_every_row_and_escapes_formulas,
    empty_export_is_header_line_or_empty_array,
    own_new_password_keeps_only_this_session,
    set_password_ends_all_logins,
    deactivation_ends_logins_and_is_logged,
    ended_logins_stay_ended,
    car_form_saves_picture_and_owner,
    ambiguous_numbers_are_refused_at_their_fields,
    names_with_bidi_controls_are_isolated,
    redirects_and_links_stay_on_this_site,
    errors_are_shown_as_pages,
);

/// The new password, in tests that set one.
const OTHER_PASSWORD: &str = "Meadow-x-55";

fn start(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.start()
}

/// A session in the panel.
struct Panel<'s> {
    browser: Browser<'s>,
}

impl<'s> Panel<'s> {
    /// Logs in as the superuser.
    fn of_root(server: &'s Server) -> Self {
        Self::of(server, "root", SUPERUSER_PASSWORD)
    }

    fn of(server: &'s Server, username: &str, password: &str) -> Self {
        let mut browser = Browser::new(server);
        let answer = browser.log_in(username, password, "/admin/");
        assert_eq!(
            answer.header("Location").as_deref(),
            Some("/admin/"),
            "{}",
            answer.text()
        );
        Self { browser }
    }

    /// Returns a page.
    #[track_caller]
    fn page(&self, path: &str) -> String {
        let answer = self.browser.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.browser.submit(path, fields)
    }

    /// Sends a form that must be accepted, and returns the target of the redirect.
    #[track_caller]
    fn save(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.submit(path, fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        answer.header("Location").unwrap()
    }

    /// Runs an action on the selection and confirms it.
    #[track_caller]
    fn bulk(&self, path: &str, action: &str, chosen: (&str, &str)) -> Answer {
        let asked = self.submit(path, &[("action", action), chosen]);
        assert_eq!(asked.status, 200, "{}", asked.text());
        self.submit(path, &confirmed(action, chosen, &hidden(&asked.text(), "digest")))
    }

    /// Returns the entries of the audit log, newest first.
    fn history(&self, query: &str) -> Value {
        let path = format!("/api/admin/history/?{query}");
        self.browser.get(&path).json(200)
    }

    fn entries(&self) -> Value {
        self.history("")["count"].clone()
    }

    fn user(&self, id: i64) -> Value {
        self.browser.get(&format!("/api/admin/users/{id}/")).json(200)
    }

    /// Returns the unchanged fields of the form of a user.
    fn user_form(&self, id: i64) -> BTreeMap<String, String> {
        let user = self.user(id);
        let names = [
            "username",
            "email",
            "first_name",
            "last_name",
            "role",
            "is_active",
            "phone",
            "address",
        ];
        let mut fields: BTreeMap<String, String> = names
            .iter()
            .map(|name| ((*name).to_owned(), text(&user[*name])))
            .collect();
        let version = hidden(&self.page(&format!("/admin/users/{id}/")), "version");
        fields.insert("version".to_owned(), version);
        fields
    }

    /// Returns the unchanged fields of the form of a car.
    fn car_form(&self, owner: i64, id: i64) -> BTreeMap<String, String> {
        let car = self
            .browser
            .get(&format!("/api/admin/users/{owner}/cars/{id}/"))
            .json(200);
        let names = [
            "brand", "model", "year", "color", "license", "vin", "mileage", "notes",
        ];
        let mut fields: BTreeMap<String, String> = names
            .iter()
            .map(|name| ((*name).to_owned(), text(&car[*name])))
            .collect();
        fields.insert("owner".to_owned(), text(&car["owner_username"]));
        let version = hidden(&self.page(&format!("/admin/cars/{id}/")), "version");
        fields.insert("version".to_owned(), version);
        fields
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the fields with other values for some of them.
fn with<'f>(fields: &'f BTreeMap<String, String>, others: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| others.iter().all(|(other, _)| other != name));
    kept.chain(others.iter().copied()).collect()
}

/// Returns the fields of the confirmation page of an action.
fn confirmed<'f>(action: &'f str, chosen: (&'f str, &'f str), digest: &'f str) -> [(&'f str, &'f str); 4] {
    [("action", action), ("confirmed", "1"), ("digest", digest), chosen]
}

/// Returns the value of a hidden field.
#[track_caller]
fn hidden(html: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no field {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Returns the counts on the page that confirms a deletion.
fn tally(html: &str) -> Vec<(String, u64)> {
    let counts = html.split("<div><dt>").skip(1).filter_map(|part| {
        let (label, rest) = part.split_once("</dt><dd>")?;
        Some((label.to_owned(), rest.split('<').next()?.parse().ok()?))
    });
    counts.collect()
}

fn counted(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts
        .iter()
        .map(|(label, count)| ((*label).to_owned(), *count))
        .collect()
}

/// Returns the message for the next page.
fn message(answer: &Answer) -> String {
    let message = cookie(answer, "messages").unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
    message.replace('+', " ")
}

fn id_of(server: &Server, access: &str) -> i64 {
    me(server, access).json(200)["id"].as_i64().unwrap()
}

/// Registers a client, and returns their tokens and id.
fn client(server: &Server, username: &str) -> (Tokens, i64) {
    let tokens = join(server, username);
    let id = id_of(server, &tokens.access);
    (tokens, id)
}

/// Registers an admin, and returns their id.
fn admin(server: &Server, username: &str) -> i64 {
    let (_, id) = client(server, username);
    patch_user(server, id, &json!({"role": "admin"}));
    id
}

fn patch_user(server: &Server, id: i64, body: &Value) {
    let root = log_in(server, "root", SUPERUSER_PASSWORD).access;
    let request = Request::new("PATCH", &format!("/api/admin/users/{id}/")).json(body);
    server.send(&request.bearer(&root)).json(200);
}

fn add_car(server: &Server, access: &str, plate: &str) -> i64 {
    server.send(&new_car(access, plate)).json(201)["id"]
        .as_i64()
        .unwrap()
}

/// Uploads a picture of a car, and returns its path.
fn add_picture(server: &Server, access: &str, car: i64) -> String {
    let upload = Request::upload(&format!("/api/cars/{car}/upload-image/"), TINY_JPEG);
    text(&server.send(&upload.bearer(access)).json(200)["image"])
}

fn refresh(server: &Server, token: &str) -> u16 {
    let request = Request::post("/api/token/refresh/", &json!({"refresh": token}));
    server.send(&request).status
}

/// Returns every screen, with the ids of this user or car in its path.
fn screens(user: i64, car: i64) -> Vec<(&'static str, String)> {
    let path = |path: &str| {
        let id = if path.starts_with("/admin/cars/") {
            car
        } else {
            user
        };
        path.replace("{id}", &id.to_string())
    };
    let screens: Vec<_> = mycars_http::screens()
        .into_iter()
        .map(|(method, template)| (method, path(template)))
        .collect();
    assert!(screens.len() > 20, "{screens:?}");
    screens
}

fn panel_without_admin_session_redirects_or_is_forbidden(installation: &Installation) {
    let server = start(installation);
    let (ann, id) = client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let browser = Browser::of(&server, "ann");
    let panel = Panel::of_root(&server);
    let before = panel.entries();
    for (method, path) in screens(id, car) {
        for path in [path.as_str(), path.trim_end_matches('/')] {
            // A login leads from an action back to the list.
            let back = path.trim_end_matches('/').strip_suffix("bulk").unwrap_or(path);
            let place = format!("/api-auth/login/?next={}", back.replace('/', "%2F"));
            let request = || Request::new(method, path).header("Accept", "text/html");
            for anonymous in [
                request(),
                request().bearer(&root),
                request().header("Cookie", "sessionid=nonsense"),
            ] {
                let answer = server.send(&anonymous);
                let location = answer.header("Location");
                assert_eq!(
                    (answer.status, location.as_deref()),
                    (303, Some(place.as_str())),
                    "{method}"
                );
            }
            let answer = browser.send(match method {
                "POST" => form(
                    path,
                    &[("csrfmiddlewaretoken", &browser.token), ("confirmed", "1")],
                ),
                _ => request(),
            });
            assert_eq!(answer.status, 403, "{method} {path}");
            let html = answer.text();
            assert!(
                html.contains("You are logged in as <bdi>ann</bdi>, who is no admin."),
                "{html}"
            );
            assert!(
                !html.contains("/admin/users/"),
                "refused actions are not offered: {html}"
            );
        }
    }
    assert_eq!(panel.entries(), before);
    let answer = server.send(&Request::get("/admin/users/?role=admin&search=a%20b"));
    let next = "%2Fadmin%2Fusers%2F%3Frole%3Dadmin%26search%3Da%2520b";
    assert_eq!(
        answer.header("Location"),
        Some(format!("/api-auth/login/?next={next}"))
    );
    let login = server.send(&Request::get(&answer.header("Location").unwrap()));
    assert!(
        login
            .text()
            .contains("value=\"/admin/users/?role=admin&#38;search=a%20b\""),
        "{}",
        login.text()
    );
    assert_eq!(server.send(&Request::get("/admin/nonsense/")).status, 303);
}

fn demotion_and_deactivation_take_effect_at_once(installation: &Installation) {
    let server = start(installation);
    let id = admin(&server, "ann");
    let panel = Panel::of(&server, "ann", PASSWORD);
    panel.page("/admin/");
    patch_user(&server, id, &json!({"role": "client"}));
    for path in ["/admin/", "/admin/users/", "/admin/history/", "/admin/nonsense/"] {
        assert_eq!(panel.browser.get(path).status, 403, "{path}");
    }
    assert_eq!(panel.submit("/admin/users/add/", &[]).status, 403);
    patch_user(&server, id, &json!({"role": "admin"}));
    panel.page("/admin/");
    patch_user(&server, id, &json!({"is_active": false}));
    assert_eq!(panel.browser.get("/admin/").status, 303);
}

fn form_without_csrf_proof_is_forbidden(installation: &Installation) {
    let server = start(installation);
    let (ann, id) = client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let panel = Panel::of_root(&server);
    let token = panel.browser.token.clone();
    let before = panel.entries();
    let own = [
        ("action", "delete"),
        ("all", "1"),
        ("confirmed", "1"),
        ("first_name", "Else"),
        ("password", OTHER_PASSWORD),
        ("old_password", SUPERUSER_PASSWORD),
        ("new_password", OTHER_PASSWORD),
        ("password2", OTHER_PASSWORD),
    ];
    let forged = |path: &str, fields: &[(&str, &str)]| form(path, &[&own, fields].concat());
    let foreign_token = "x".repeat(32);
    for (_, path) in screens(id, car).iter().filter(|(method, _)| *method == "POST") {
        let ours = [("csrfmiddlewaretoken", token.as_str())];
        for request in [
            forged(path, &[]),
            forged(path, &[("csrfmiddlewaretoken", "")]),
            forged(path, &[("csrfmiddlewaretoken", &foreign_token)]),
            forged(path, &ours).header("Origin", "https://evil.example"),
            forged(path, &ours).header("Origin", "null"),
            forged(path, &ours).header("Sec-Fetch-Site", "cross-site"),
            forged(path, &ours).header("Sec-Fetch-Site", "same-site"),
        ] {
            let answer = panel.browser.send(request);
            assert_eq!(answer.status, 403, "{path}: {}", answer.text());
            assert!(answer.text().contains("CSRF Failed: "), "{}", answer.text());
        }
        let mut of_others = Browser::of(&server, "ann");
        of_others.session.clone_from(&panel.browser.session);
        let answer = of_others.send(forged(path, &ours));
        assert_eq!(answer.status, 403, "a token that is not this browser's");
    }
    assert_eq!(panel.entries(), before);
    assert_eq!(panel.user(id)["first_name"], "Ann");
    assert_eq!(plates(&server, &ann.access), ["B-AB 1"]);
    log_in(&server, "root", SUPERUSER_PASSWORD);
    let origin = format!("http://{}", server.address());
    let fields = [
        ("csrfmiddlewaretoken", token.as_str()),
        ("action", "export_csv"),
        ("all", "1"),
    ];
    let own = form("/admin/users/bulk/", &fields).header("Origin", &origin);
    assert_eq!(
        panel
            .browser
            .send(own.header("Sec-Fetch-Site", "same-origin"))
            .status,
        200
    );
}

fn change_of_superuser_by_admin_is_forbidden(installation: &Installation) {
    let server = start(installation);
    let tokens = log_in(&server, "root", SUPERUSER_PASSWORD);
    let root = id_of(&server, &tokens.access);
    admin(&server, "ann");
    let of_root = Panel::of_root(&server);
    let panel = Panel::of(&server, "ann", PASSWORD);
    let before = panel.entries();
    let user = panel.user(root);
    let fields = panel.user_form(root);

    let own = format!("/admin/users/{root}/");
    let page = panel.page(&own);
    assert!(
        page.contains("Only a superuser can change a superuser."),
        "{page}"
    );
    for button in ["delete/", "password/", "end-logins/"] {
        assert!(
            !page.contains(&format!("{own}{button}")),
            "{button} is not offered"
        );
    }
    assert!(
        page.contains("<fieldset class=\"card\" disabled>") && !page.contains("_continue"),
        "{page}"
    );

    let passwords = [("password", OTHER_PASSWORD), ("password2", OTHER_PASSWORD)];
    for (path, fields) in [
        (own.clone(), with(&fields, &[("first_name", "Else")])),
        (own.clone(), with(&fields, &[("is_active", "false")])),
        (own.clone(), with(&fields, &[("role", "client")])),
        (format!("{own}delete/"), vec![]),
        (format!("{own}password/"), passwords.to_vec()),
        (format!("{own}end-logins/"), vec![]),
    ] {
        let answer = panel.submit(&path, &fields);
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    let number = root.to_string();
    for action in ["delete", "deactivate", "activate", "end_logins"] {
        let answer = panel.bulk("/admin/users/bulk/", action, ("selected", &number));
        assert_eq!(answer.status, 303);
        let said = message(&answer);
        assert!(said.contains("0 users") && said.contains("1 refused"), "{said}");
    }
    let listed = of_root.page("/admin/tokens/?search=root&state=live");
    let token = hidden(&listed, "selected");
    let answer = panel.bulk("/admin/tokens/bulk/", "revoke", ("selected", &token));
    assert!(message(&answer).contains("1 refused"), "{}", message(&answer));

    assert_eq!(panel.entries(), before);
    assert_eq!(panel.user(root), user);
    of_root.page("/admin/");
    assert_eq!(refresh(&server, &tokens.refresh), 200);
    log_in(&server, "root", SUPERUSER_PASSWORD);
    let page = of_root.page(&own);
    assert!(page.contains(&format!("{own}password/")), "a superuser can");
}

fn own_demotion_and_deactivation_are_forbidden(installation: &Installation) {
    let server = start(installation);
    let ann = admin(&server, "ann");
    let root = id_of(&server, &log_in(&server, "root", SUPERUSER_PASSWORD).access);
    for (panel, id) in [
        (Panel::of(&server, "ann", PASSWORD), ann),
        (Panel::of_root(&server), root),
    ] {
        let own = format!("/admin/users/{id}/");
        let page = panel.page(&own);
        assert!(!page.contains(&format!("{own}delete/")), "{page}");
        assert!(
            !page.contains("name=\"is_active\"") && !page.contains("name=\"role\""),
            "{page}"
        );
        let mut fields = panel.user_form(id);
        // A superuser created on the command line has no first and last name.
        for name in ["first_name", "last_name"] {
            fields.insert(name.to_owned(), "Lee".to_owned());
        }
        let before = panel.entries();
        for (path, fields) in [
            (own.clone(), with(&fields, &[("role", "client"), ("phone", "1")])),
            (
                own.clone(),
                with(&fields, &[("is_active", "false"), ("phone", "1")]),
            ),
            (format!("{own}delete/"), vec![]),
        ] {
            assert_eq!(panel.submit(&path, &fields).status, 403, "{path}");
        }
        for action in ["delete", "deactivate"] {
            let answer = panel.bulk("/admin/users/bulk/", action, ("selected", &id.to_string()));
            assert!(message(&answer).contains("1 refused"), "{}", message(&answer));
        }
        assert_eq!(panel.entries(), before);
        fields.remove("role");
        fields.remove("is_active");
        panel.save(&own, &with(&fields, &[("phone", "555-1234")]));
        let user = panel.user(id);
        assert_eq!(
            (&user["phone"], &user["is_active"]),
            (&json!("555-1234"), &json!(true))
        );
        assert_eq!(user["role"], "admin");
    }
}

fn form_with_old_version_returns_conflict(installation: &Installation) {
    let server = start(installation);
    let (bob, bob_id) = client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let ann_id = admin(&server, "ann");
    let (root, ann) = (Panel::of_root(&server), Panel::of(&server, "ann", PASSWORD));

    let path = format!("/admin/cars/{car}/");
    let seen = ann.car_form(bob_id, car);
    root.save(&path, &with(&root.car_form(bob_id, car), &[("mileage", "900")]));
    let before = root.entries();
    let refused = ann.submit(&path, &with(&seen, &[("mileage", "5"), ("color", "Red")]));
    assert_eq!(refused.status, 409, "{}", refused.text());
    let html = refused.text();
    assert!(html.contains("<bdi>root</bdi> changed this car"), "{html}");
    assert!(
        html.contains("It is “900” now.") && html.contains("value=\"5\""),
        "{html}"
    );
    assert!(html.contains("It is empty now."), "of the colour: {html}");
    assert_eq!(root.entries(), before);
    let again = hidden(&html, "version");
    ann.save(
        &path,
        &with(&seen, &[("mileage", "5"), ("color", "Red"), ("version", &again)]),
    );
    assert_eq!(ann.car_form(bob_id, car)["mileage"], "5");
    let nonsense = ann.submit(&path, &with(&seen, &[("version", "nonsense")]));
    assert_eq!(nonsense.status, 409, "an unknown version");

    let path = format!("/admin/users/{bob_id}/");
    let seen = root.user_form(bob_id);
    ann.save(&path, &with(&ann.user_form(bob_id), &[("phone", "555-1")]));
    let refused = root.submit(&path, &with(&seen, &[("phone", "555-2")]));
    assert_eq!(refused.status, 409);
    let html = refused.text();
    assert!(
        html.contains("<bdi>ann</bdi> changed this user") && html.contains("It is “555-1” now."),
        "{html}"
    );
    root.save(
        &path,
        &with(
            &seen,
            &[("phone", "555-2"), ("version", &hidden(&html, "version"))],
        ),
    );
    assert_eq!(root.user(bob_id)["phone"], "555-2");
    // A change by the API conflicts as well.
    let seen = root.user_form(ann_id);
    patch_user(&server, ann_id, &json!({"phone": "555-3"}));
    assert_eq!(
        root.submit(&format!("/admin/users/{ann_id}/"), &with(&seen, &[]))
            .status,
        409
    );
}

/// Creates a user with this number of cars, some of them with pictures, and a session.
fn user_with_cars<'s>(
    server: &'s Server,
    name: &str,
    cars: usize,
    pictures: usize,
) -> (i64, Vec<String>, Browser<'s>) {
    let (tokens, id) = client(server, name);
    let mut paths = Vec::new();
    for number in 0..cars {
        let car = add_car(server, &tokens.access, &format!("{name} {number}"));
        if number < pictures {
            paths.push(add_picture(server, &tokens.access, car));
        }
    }
    (id, paths, Browser::of(server, name))
}

fn delete_removes_objects_counted_on_page(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (id, pictures, browser) = user_with_cars(&server, "ann", 3, 2);
    Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/delete/");
    let page = panel.page(&path);
    let counts = [
        ("Users", 1),
        ("Cars", 3),
        ("Pictures", 2),
        ("Logins of browsers", 2),
    ];
    assert_eq!(tally(&page), counted(&counts));
    for number in 0..3 {
        assert!(page.contains(&format!("Toyota Camry (ann {number})")), "{page}");
    }
    assert_eq!(panel.user(id)["username"], "ann", "asking deletes nothing");

    assert_eq!(panel.save(&path, &[]), "/admin/users/");
    let deleted = panel.history("action=deleted");
    assert_eq!(deleted["count"], 4);
    for entry in deleted["results"].as_array().unwrap() {
        assert_eq!(
            (&entry["channel"], &entry["actor_name"]),
            (&json!("panel"), &json!("root"))
        );
    }
    for picture in &pictures {
        assert_eq!(server.send(&Request::get(picture)).status, 404);
    }
    assert_eq!(browser.get("/api/me/").status, 401);
    let history = panel.page(&format!("/admin/users/{id}/history/"));
    assert!(history.contains("History of ann, which is gone"), "{history}");

    let (tokens, _) = client(&server, "bob");
    let car = add_car(&server, &tokens.access, "B-AB 1");
    let picture = add_picture(&server, &tokens.access, car);
    let path = format!("/admin/cars/{car}/delete/");
    assert_eq!(
        tally(&panel.page(&path)),
        counted(&[("Cars", 1), ("Pictures", 1)])
    );
    assert_eq!(panel.save(&path, &[]), "/admin/cars/");
    assert!(plates(&server, &tokens.access).is_empty());
    assert_eq!(server.send(&Request::get(&picture)).status, 404);
    assert_eq!(
        panel.browser.get(&path).status,
        404,
        "a second delete is not found"
    );
}

/// Returns the hidden fields of the page that confirms a deletion.
fn seen(html: &str, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().map(|name| (*name, hidden(html, name))).collect()
}

fn as_fields<'f>(fields: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn delete_with_old_version_returns_conflict(installation: &Installation) {
    let server = start(installation);
    let (ann, ann_id) = client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let panel = Panel::of_root(&server);

    let path = format!("/admin/cars/{car}/delete/");
    let before = seen(&panel.page(&path), &["version"]);
    let change = Request::new("PATCH", &format!("/api/cars/{car}/")).json(&json!({"license": "B-AB 2"}));
    server.send(&change.bearer(&ann.access)).json(200);
    let entries = panel.entries();
    let refused = panel.submit(&path, &as_fields(&before));
    assert_eq!(refused.status, 409);
    let html = refused.text();
    assert!(
        html.contains("It was changed meanwhile, and nothing was deleted.")
            && html.contains("Delete the car Toyota Camry (B-AB 2)?")
            && html.contains("<bdi>ann</bdi></a> changed car")
            && html.contains("<bdi>B-AB 1</bdi>"),
        "{html}"
    );
    assert_eq!(panel.entries(), entries);
    add_picture(&server, &ann.access, car);
    assert_eq!(
        panel.submit(&path, &as_fields(&seen(&html, &["version"]))).status,
        409
    );
    let nonsense = panel.submit(&path, &[("version", "nonsense")]);
    assert_eq!(nonsense.status, 409);
    panel.save(&path, &as_fields(&seen(&nonsense.text(), &["version"])));

    let path = format!("/admin/users/{ann_id}/delete/");
    let names = ["version", "cars"];
    let change_me = |body: Value| Request::new("PATCH", "/api/me/").json(&body).bearer(&ann.access);
    let own = |method: &str, id: i64| Request::new(method, &format!("/api/cars/{id}/")).bearer(&ann.access);
    let [edited, swapped] = ["B-AB 3", "B-AB 4"].map(|plate| add_car(&server, &ann.access, plate));
    let mut page = panel.page(&path);
    for changes in [
        vec![change_me(json!({"phone": "555-1"}))],
        vec![new_car(&ann.access, "B-AB 5")],
        vec![own("PATCH", edited).json(&json!({"mileage": 7}))],
        vec![own("DELETE", swapped), new_car(&ann.access, "B-AB 4")],
        vec![change_me(json!({"phone": null}))],
    ] {
        let before = seen(&page, &names);
        for change in changes {
            assert!(matches!(server.send(&change).status, 200 | 201 | 204));
        }
        let refused = panel.submit(&path, &as_fields(&before));
        assert_eq!(refused.status, 409);
        page = refused.text();
        assert!(page.contains("<bdi>ann</bdi></a>"), "{page}");
    }
    assert_eq!(plates(&server, &ann.access).len(), 3);
    let malformed = panel.submit(&path, &[("version", &hidden(&page, "version")), ("cars", "3")]);
    assert_eq!(malformed.status, 409);
    // A login does not change the version.
    log_in(&server, "ann", PASSWORD);
    panel.save(&path, &as_fields(&seen(&page, &names)));
    assert_eq!(me(&server, &ann.access).status, 401);
    let gone = panel.submit(&path, &as_fields(&seen(&page, &names)));
    assert_eq!(gone.status, 404);
}

/// Of a concurrent change and deletion, one succeeds.
fn concurrent_delete_and_change_do_not_both_succeed(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let mut outcomes: BTreeMap<[u16; 2], usize> = BTreeMap::new();
    for round in 0..20 {
        let (ann, id) = client(&server, &format!("ann{round}"));
        let car = add_car(&server, &ann.access, &format!("B-AB {round}"));
        let of_car = format!("/admin/cars/{car}/delete/");
        let of_user = format!("/admin/users/{id}/delete/");
        let change_car = Request::new("PATCH", &format!("/api/cars/{car}/")).json(&json!({"mileage": 5}));
        let change_user = Request::new("PATCH", "/api/me/").json(&json!({"phone": "555-1"}));
        for (path, names, change) in [
            (&of_car, &["version"][..], change_car),
            (&of_user, &["version", "cars"], change_user),
            (
                &of_user,
                &["version", "cars"],
                new_car(&ann.access, &format!("B-CD {round}")),
            ),
        ] {
            let page = panel.browser.get(path);
            if page.status != 200 {
                continue;
            }
            let (fields, change) = (seen(&page.text(), names), change.bearer(&ann.access));
            let statuses = at_once(2, |number| match number {
                0 => panel.submit(path, &as_fields(&fields)).status,
                _ => server.send(&change).status,
            });
            let statuses = [statuses[0], statuses[1]];
            *outcomes.entry(statuses).or_default() += 1;
            assert!(
                matches!(statuses, [303, 401 | 404] | [409, 200 | 201]),
                "{path}: {statuses:?}"
            );
        }
    }
    assert!(outcomes.values().sum::<usize>() >= 40, "{outcomes:?}");
}

fn bulk_delete_with_old_versions_asks_again(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, ann_id) = client(&server, "ann");
    let (_, bob_id) = client(&server, "bob");
    let cars = ["B-AB 1", "B-AB 2"].map(|plate| add_car(&server, &ann.access, plate).to_string());
    let kept = add_car(&server, &ann.access, "B-AB 0");
    let patch = |path: &str, body: Value| Request::new("PATCH", path).json(&body).bearer(&ann.access);
    for (list, chosen, changes) in [
        (
            "/admin/cars/bulk/",
            cars.join(","),
            vec![vec![patch(
                &format!("/api/cars/{}/", cars[1]),
                json!({"mileage": 7}),
            )]],
        ),
        (
            "/admin/users/bulk/",
            format!("{ann_id},{bob_id}"),
            vec![
                vec![patch("/api/me/", json!({"phone": "555-1"}))],
                vec![new_car(&ann.access, "B-AB 3")],
                vec![patch(&format!("/api/cars/{kept}/"), json!({"mileage": 7}))],
                vec![
                    Request::new("DELETE", &format!("/api/cars/{kept}/")).bearer(&ann.access),
                    new_car(&ann.access, "B-AB 4"),
                ],
            ],
        ),
    ] {
        let chosen = ("selected", chosen.as_str());
        let mut page = panel.submit(list, &[("action", "delete"), chosen]).text();
        for changes in changes {
            for change in changes {
                assert!(matches!(server.send(&change).status, 200 | 201 | 204));
            }
            let entries = panel.entries();
            let again = panel.submit(list, &confirmed("delete", chosen, &hidden(&page, "digest")));
            page = again.text();
            assert!(page.contains("what was chosen has changed meanwhile."), "{page}");
            assert_eq!(panel.entries(), entries);
        }
        // A login does not change the digest.
        log_in(&server, "ann", PASSWORD);
        let answer = panel.submit(list, &confirmed("delete", chosen, &hidden(&page, "digest")));
        assert!(message(&answer).contains("deleted."), "{}", message(&answer));
    }
    assert_eq!(me(&server, &ann.access).status, 401);
}

fn bulk_delete_removes_objects_counted_on_page(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, of_ann, _) = user_with_cars(&server, "ann", 3, 1);
    let (bob, of_bob, _) = user_with_cars(&server, "bob", 2, 2);
    let (eve, of_eve, browser) = user_with_cars(&server, "eve", 1, 1);
    let chosen = format!("{ann},{bob}");
    let asked = panel.submit(
        "/admin/users/bulk/",
        &[("action", "delete"), ("selected", &chosen)],
    );
    let counts = [
        ("Users", 2),
        ("Cars", 5),
        ("Pictures", 3),
        ("Logins of browsers", 2),
    ];
    assert_eq!(tally(&asked.text()), counted(&counts));
    assert_eq!(
        panel.history("action=deleted")["count"],
        0,
        "asking deletes nothing"
    );
    let answer = panel.bulk("/admin/users/bulk/", "delete", ("selected", &chosen));
    assert_eq!(answer.status, 303);
    assert!(
        message(&answer).contains("2 users deleted"),
        "{}",
        message(&answer)
    );
    assert_eq!(panel.history("action=deleted&object_type=user")["count"], 2);
    assert_eq!(panel.history("action=deleted&object_type=car")["count"], 5);
    for picture in of_ann.iter().chain(&of_bob) {
        assert_eq!(server.send(&Request::get(picture)).status, 404);
    }
    assert_eq!(server.send(&Request::get(&of_eve[0])).status, 200);
    assert_eq!(browser.get("/api/me/").json(200)["id"], eve);

    let cars = panel.submit(
        "/admin/cars/bulk/?search=eve",
        &[("action", "delete"), ("all", "1")],
    );
    assert_eq!(tally(&cars.text()), counted(&[("Cars", 1), ("Pictures", 1)]));
    let nothing = panel.submit("/admin/cars/bulk/", &[("action", "delete")]);
    assert!(
        message(&nothing).contains("Nothing was done"),
        "{}",
        message(&nothing)
    );
    let nothing = panel.submit("/admin/cars/bulk/", &[("action", "burn"), ("all", "1")]);
    assert!(
        message(&nothing).contains("Nothing was done"),
        "{}",
        message(&nothing)
    );
    assert_eq!(panel.history("action=deleted")["count"], 7);
}

fn bulk_delete_does_not_count_undeletable_users(installation: &Installation) {
    let server = start(installation);
    let ann = admin(&server, "ann");
    let access = log_in(&server, "ann", PASSWORD).access;
    add_car(&server, &access, "B-AB 1");
    let (bob, _, _) = user_with_cars(&server, "bob", 2, 0);
    let panel = Panel::of(&server, "ann", PASSWORD);
    let counts = |chosen: (&str, &str)| {
        let page = panel.submit("/admin/users/bulk/", &[("action", "delete"), chosen]);
        tally(&page.text())
    };
    let expected = [
        ("Users", 1),
        ("Cars", 2),
        ("Pictures", 0),
        ("Logins of browsers", 1),
        ("Users who stay", 2),
    ];
    assert_eq!(
        counts(("all", "1")),
        counted(&expected),
        "the admin and the superuser stay"
    );
    let expected = [
        ("Users", 1),
        ("Cars", 2),
        ("Pictures", 0),
        ("Logins of browsers", 1),
        ("Users who stay", 1),
    ];
    assert_eq!(
        counts(("selected", &format!("{bob},999999"))),
        counted(&expected),
        "and a missing user"
    );
    let answer = panel.bulk("/admin/users/bulk/", "delete", ("all", "1"));
    assert!(
        message(&answer).contains("1 user deleted"),
        "{}",
        message(&answer)
    );
    assert_eq!(panel.history("action=deleted")["count"], 3);
    assert_eq!(panel.user(ann)["cars"][0]["license"], "B-AB 1");
}

fn upload_of_too_large_picture_returns_413(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, _) = client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let token = ("csrfmiddlewaretoken", panel.browser.token.as_str());
    let before = panel.entries();
    for (path, browser) in [
        (format!("/admin/cars/{car}/"), &panel.browser),
        (
            format!("/api/cars/{car}/upload-image/"),
            &Browser::of(&server, "ann"),
        ),
    ] {
        let request = multipart(&path, &[token], &vec![0; 9 * 1024 * 1024]).header("Accept", "text/html");
        let answer = browser.send(request);
        assert_eq!(answer.status, 413, "{path}: {}", answer.text());
        assert!(!answer.text().contains("CSRF Failed"), "{}", answer.text());
    }
    assert_eq!(panel.entries(), before);
}

fn bulk_action_on_all_pages_streams_progress(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, _) = client(&server, "ann");
    for number in 0..150 {
        add_car(&server, &ann.access, &format!("B-MANY {number}"));
    }
    let kept = ["K-EPT 1", "K-EPT 2"];
    for plate in kept {
        add_car(&server, &ann.access, plate);
    }
    let list = panel.page("/admin/cars/?search=many");
    assert!(
        list.contains("All 150 that match, on every page") && list.contains("1–50 of 150"),
        "{list}"
    );

    let path = "/admin/cars/bulk/?search=many";
    let asked = panel.submit(path, &[("action", "delete"), ("all", "1")]).text();
    assert_eq!(tally(&asked), counted(&[("Cars", 150), ("Pictures", 0)]));
    assert!(asked.contains("and 130 more"), "{asked}");
    let digest = hidden(&asked, "digest");
    let answer = panel.submit(path, &confirmed("delete", ("all", "1"), &digest));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("Content-Length"),
        None,
        "it is sent during the action"
    );
    let html = answer.text();
    for step in [
        "> 50 of 150<",
        "> 100 of 150<",
        "> 150 of 150<",
        "150 cars deleted.",
        "href=\"/admin/cars/?search=many\"",
    ] {
        assert!(html.contains(step), "{step}: {html}");
    }
    assert!(html.trim_end().ends_with("</html>"), "{html}");
    let mut left = plates(&server, &ann.access);
    left.sort();
    assert_eq!(left, kept);
    let deleted = panel.history("action=deleted&limit=1000");
    assert_eq!(deleted["count"], 150);
    let id = json!(answer.header("X-Request-Id"));
    for entry in deleted["results"].as_array().unwrap() {
        assert_eq!((&entry["request_id"], &entry["channel"]), (&id, &json!("panel")));
    }
}

fn bulk_action_skips_refused_rows(installation: &Installation) {
    let server = start(installation);
    for number in 0..60 {
        register(&server, &format!("user{number}"));
    }
    admin(&server, "ann");
    let panel = Panel::of(&server, "ann", PASSWORD);
    let answer = panel.bulk("/admin/users/bulk/", "deactivate", ("all", "1"));
    let html = answer.text();
    assert_eq!(answer.status, 200, "{html}");
    assert!(
        html.contains("> 62 of 62<") && html.contains("60 users deactivated."),
        "{html}"
    );
    assert_eq!(
        html.matches("1 refused: ").count(),
        2,
        "the admin and the superuser: {html}"
    );
    assert_eq!(server.send(&login("user7", PASSWORD)).status, 401);
    let changed = panel.history("action=changed&search=user&limit=1000");
    assert_eq!(changed["count"], 60);
    let answer = panel.bulk(
        "/admin/users/bulk/?is_active=false&search=user1",
        "activate",
        ("all", "1"),
    );
    assert!(
        message(&answer).contains("11 users activated"),
        "{}",
        message(&answer)
    );
    log_in(&server, "user17", PASSWORD);
    assert_eq!(server.send(&login("user7", PASSWORD)).status, 401);
}

fn bulk_end_of_all_logins_ends_own_last(installation: &Installation) {
    let server = start(installation);
    for number in 0..60 {
        register(&server, &format!("user{number}"));
    }
    let panel = Panel::of_root(&server);
    // The first user of the list is root: the others would stay logged in if its login ended first.
    let html = panel
        .bulk("/admin/users/bulk/", "end_logins", ("all", "1"))
        .text();
    assert!(html.contains("61 users logged out everywhere."), "{html}");
    assert_eq!(
        panel.browser.get("/admin/").status,
        303,
        "root's own login as well"
    );
    let root = Panel::of_root(&server);
    assert_eq!(root.history("action=revoked&object_type=user")["count"], 61);
}

fn bulk_action_on_changed_selection_asks_again(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, _) = client(&server, "ann");
    for plate in ["B-AB 1", "B-AB 2"] {
        add_car(&server, &ann.access, plate);
    }
    let path = "/admin/cars/bulk/?search=ann";
    let all = ("all", "1");
    let asked = panel.submit(path, &[("action", "delete"), all]).text();
    let digest = hidden(&asked, "digest");
    add_car(&server, &ann.access, "B-AB 3");
    let again = panel.submit(path, &confirmed("delete", all, &digest));
    assert_eq!(again.status, 200);
    let html = again.text();
    assert!(
        html.contains("has changed meanwhile. It is about 3 cars now."),
        "{html}"
    );
    assert_eq!(plates(&server, &ann.access).len(), 3, "nothing was done yet");
    for made_up in ["", "x"] {
        let answer = panel.submit(path, &confirmed("delete", all, made_up));
        assert!(
            answer.text().contains("has changed meanwhile"),
            "{}",
            answer.text()
        );
    }
    let answer = panel.submit(path, &confirmed("delete", all, &hidden(&html, "digest")));
    assert!(
        message(&answer).contains("3 cars deleted"),
        "{}",
        message(&answer)
    );
    assert!(plates(&server, &ann.access).is_empty());
}

fn export_has_every_row_and_escapes_formulas(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, _) = client(&server, "ann");
    let notes = ["=1+1", "+49 30", "-1", "@SUM(A1)", "\"quoted\", and\nmore"];
    for number in 0..60 {
        let car = json!({
            "brand": "Toyota", "model": "Camry", "year": 2023, "license": format!("B-AB {number}"),
            "notes": notes[number % notes.len()],
        });
        server
            .send(&Request::post("/api/cars/", &car).bearer(&ann.access))
            .json(201);
    }
    let export = |resource: &str, format: &str| {
        let path = format!("/admin/{resource}/bulk/");
        let answer = panel.submit(&path, &[("action", format), ("all", "1")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let csv = export("cars", "export_csv");
    assert_eq!(
        csv.header("Content-Type").as_deref(),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(
        csv.header("Content-Disposition").as_deref(),
        Some("attachment; filename=\"cars.csv\"")
    );
    let csv = csv.text();
    // The byte order mark tells spreadsheets that the file is UTF-8.
    assert!(csv.starts_with("\u{feff}id,brand,model,year,"), "{csv}");
    assert_eq!(csv.matches(",Toyota,Camry,").count(), 60);
    for cell in [
        ",'=1+1,",
        ",'+49 30,",
        ",'-1,",
        ",'@SUM(A1),",
        ",\"\"\"quoted\"\", and\nmore\",",
    ] {
        assert_eq!(csv.matches(cell).count(), 12, "{cell}: {csv}");
    }
    let list = export("cars", "export_json");
    assert_eq!(
        list.header("Content-Disposition").as_deref(),
        Some("attachment; filename=\"cars.json\"")
    );
    let list = list.json(200);
    assert_eq!(list.as_array().unwrap().len(), 60);
    assert_eq!(
        list[59]["notes"], "=1+1",
        "JSON is exact, and in the list's order"
    );
    assert_eq!(list[0]["owner_username"], "ann");

    let users = export("users", "export_json").json(200);
    assert_eq!(users.as_array().unwrap().len(), 2);
    let tokens = export("tokens", "export_json").json(200);
    assert_eq!(tokens[0]["username"], "ann");
    let entries = panel.entries().as_u64().unwrap();
    let history = export("history", "export_json").json(200);
    assert_eq!(history.as_array().unwrap().len() as u64, entries);
    assert!(export("history", "export_csv").text().lines().count() as u64 > entries);
    for secret in ["bcrypt", PASSWORD, &ann.refresh] {
        assert!(!users.to_string().contains(secret) && !tokens.to_string().contains(secret));
    }
    let some = [("action", "export_json"), ("selected", "1"), ("selected", "3,1")];
    let some = panel.submit("/admin/cars/bulk/", &some).json(200);
    assert_eq!(some.as_array().unwrap().len(), 2);
    assert_eq!(panel.entries(), entries, "reading changes nothing");
}

fn empty_export_is_header_line_or_empty_array(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, _) = client(&server, "ann");
    let car = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 1"});
    server
        .send(&Request::post("/api/cars/", &car).bearer(&ann.access))
        .json(201);
    let export = |resource: &str, query: &str, format: &str| {
        let path = format!("/admin/{resource}/bulk/{query}");
        let answer = panel.submit(&path, &[("action", format), ("all", "1")]);
        assert_eq!(answer.status, 200, "{resource}: {}", answer.text());
        answer
    };
    for (resource, name) in [
        ("cars", "cars"),
        ("users", "users"),
        ("tokens", "refresh-tokens"),
        ("history", "entries"),
    ] {
        let empty = export(resource, "?search=nothing-is-called-so", "export_csv");
        assert_eq!(
            empty.header("Content-Disposition").as_deref(),
            Some(format!("attachment; filename=\"{name}.csv\"").as_str())
        );
        let all = export(resource, "", "export_csv").text();
        assert_eq!(empty.text().lines().count(), 1, "{resource}");
        assert_eq!(empty.text().lines().next(), all.lines().next(), "{resource}");

        let empty = export(resource, "?search=nothing-is-called-so", "export_json");
        assert_eq!(
            empty.header("Content-Disposition").as_deref(),
            Some(format!("attachment; filename=\"{name}.json\"").as_str())
        );
        assert_eq!(empty.json(200), json!([]));
    }
    // An export without a selection is refused.
    let forgotten = panel.submit("/admin/cars/bulk/", &[("action", "export_csv")]);
    assert_eq!(forgotten.status, 303);
}

fn own_new_password_keeps_only_this_session(installation: &Installation) {
    let server = start(installation);
    let id = admin(&server, "ann");
    let tokens = log_in(&server, "ann", PASSWORD);
    let mut panel = Panel::of(&server, "ann", PASSWORD);
    let other = Panel::of(&server, "ann", PASSWORD);
    let change = |old: &str, new: &str, again: &str| {
        let fields = [("old_password", old), ("new_password", new), ("password2", again)];
        panel.submit("/admin/password/", &fields)
    };
    for (old, new, again, said) in [
        ("wrong", OTHER_PASSWORD, OTHER_PASSWORD, "Old password"),
        (PASSWORD, OTHER_PASSWORD, "Meadow-x-56", "again"),
        (PASSWORD, "password", "password", "too common"),
        (PASSWORD, "", "", "New password"),
    ] {
        let refused = change(old, new, again);
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains(said), "{said}: {}", refused.text());
        assert!(
            !refused.text().contains(OTHER_PASSWORD),
            "a password is not sent back"
        );
    }
    other.page("/admin/");
    let answer = change(PASSWORD, OTHER_PASSWORD, OTHER_PASSWORD);
    assert_eq!(
        (answer.status, answer.header("Location").as_deref()),
        (303, Some("/admin/"))
    );
    let old = panel
        .browser
        .session
        .replace(cookie(&answer, "sessionid").unwrap());
    panel.browser.token = cookie(&answer, "csrftoken").unwrap();
    assert_ne!(panel.browser.session, old, "the key is a new one");
    panel.page("/admin/");
    assert_eq!(
        panel
            .submit("/admin/users/bulk/", &[("action", "export_csv"), ("all", "1")])
            .status,
        200
    );
    assert_eq!(
        other.browser.get("/admin/").status,
        303,
        "another browser's login is over"
    );
    let planted = Request::get("/admin/").header("Cookie", &format!("sessionid={}", old.unwrap()));
    assert_eq!(server.send(&planted).status, 303);
    assert_eq!(refresh(&server, &tokens.refresh), 401);
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 401);
    log_in(&server, "ann", OTHER_PASSWORD);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["channel"], &entry["object_id"]),
        (&json!("panel"), &json!(id.to_string()))
    );
    let changes = entry["changes"].as_array().unwrap();
    let told = |field: &str| {
        let change = changes.iter().find(|change| change["field"] == field);
        change.map(|change| (change["before"].clone(), change["after"].clone()))
    };
    assert_eq!(told("password"), Some((json!("********"), json!("********"))));
    assert_eq!(told("sessions"), Some((json!(2), json!(0))));
    assert_eq!(told("refresh_tokens").map(|(_, left)| left), Some(json!(0)));
    assert_eq!(changes.len(), 3);
}

fn set_password_ends_all_logins(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, id) = client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/password/");
    let set =
        |password: &str, again: &str| panel.submit(&path, &[("password", password), ("password2", again)]);
    for (password, again) in [
        ("", ""),
        ("short", "short"),
        (OTHER_PASSWORD, "else"),
        (OTHER_PASSWORD, ""),
    ] {
        assert_eq!(set(password, again).status, 400, "{password:?} {again:?}");
    }
    assert_eq!(browser.get("/api/me/").status, 200);
    assert_eq!(set(OTHER_PASSWORD, OTHER_PASSWORD).status, 303);
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 401);
    log_in(&server, "ann", OTHER_PASSWORD);
    // The form of a user cannot change the password, even with a forged field.
    let fields = panel.user_form(id);
    panel.save(
        &format!("/admin/users/{id}/"),
        &with(&fields, &[("password", "Meadow-x-77")]),
    );
    log_in(&server, "ann", OTHER_PASSWORD);
}

fn deactivation_ends_logins_and_is_logged(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, id) = client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/");
    // Browsers send no value for a box that is not ticked, so a hidden field has the value.
    panel.save(&path, &with(&panel.user_form(id), &[("is_active", "false")]));
    assert_eq!(me(&server, &ann.access).status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(browser.get("/api/me/").status, 401);
    let ended = json!([
        {"field": "is_active", "before": true, "after": false},
        {"field": "refresh_tokens", "before": 1, "after": 0},
        {"field": "sessions", "before": 1, "after": 0},
    ]);
    assert_eq!(panel.history("limit=1")["results"][0]["changes"], ended);
    let twice = [("is_active", "false"), ("is_active", "true")];
    panel.save(&path, &with(&panel.user_form(id), &twice));
    assert_eq!(me(&server, &ann.access).status, 401, "it was ended");
    assert_eq!(refresh(&server, &ann.refresh), 401, "it was ended");
    assert_eq!(browser.get("/api/me/").status, 401, "it was ended");
    let again = log_in(&server, "ann", PASSWORD);
    Browser::of(&server, "ann");
    let answer = panel.bulk("/admin/users/bulk/", "deactivate", ("selected", &id.to_string()));
    assert!(
        message(&answer).contains("1 user deactivated"),
        "{}",
        message(&answer)
    );
    assert_eq!(me(&server, &ann.access).status, 401);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(entry["changes"], ended);
    assert_eq!(entry["channel"], "panel");
    panel.bulk("/admin/users/bulk/", "activate", ("selected", &id.to_string()));
    assert_eq!(refresh(&server, &again.refresh), 401);
    // PUT and PATCH of the API do the same.
    let whole =
        json!({"username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"});
    for (method, fields) in [("PATCH", json!({})), ("PUT", whole)] {
        let tokens = log_in(&server, "ann", PASSWORD);
        for is_active in [false, true] {
            let mut fields = fields.clone();
            fields["is_active"] = json!(is_active);
            let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
            let change = Request::new(method, &format!("/api/admin/users/{id}/")).json(&fields);
            server.send(&change.bearer(&root)).json(200);
        }
        assert_eq!(refresh(&server, &tokens.refresh), 401, "{method}");
    }
}

fn ended_logins_stay_ended(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, id) = client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/end-logins/");
    let counts = [("Refresh tokens", 1), ("Logins of browsers", 1)];
    assert_eq!(tally(&panel.page(&path)), counted(&counts));
    assert_eq!(browser.get("/api/me/").status, 200, "asking ends nothing");
    panel.save(&path, &[]);
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(me(&server, &ann.access).status, 200, "until it expires");
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["action"], &entry["channel"]),
        (&json!("revoked"), &json!("panel"))
    );
    assert_eq!(
        entry["changes"],
        json!([
            {"field": "refresh_tokens", "before": 1, "after": 0}, {"field": "sessions", "before": 1, "after": 0},
        ])
    );
    let again = log_in(&server, "ann", PASSWORD);
    let other = log_in(&server, "ann", PASSWORD);
    assert_eq!(refresh(&server, &again.refresh), 200);
    let number = hidden(&panel.page("/admin/tokens/?search=ann&state=live"), "selected");
    let answer = panel.bulk("/admin/tokens/bulk/", "revoke", ("selected", &number));
    assert!(
        message(&answer).contains("1 refresh token ended"),
        "{}",
        message(&answer)
    );
    let left = [&again, &other].map(|tokens| refresh(&server, &tokens.refresh));
    assert_eq!(
        left.iter().filter(|status| **status == 401).count(),
        1,
        "one of the two: {left:?}"
    );
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["object_type"], &entry["channel"]),
        (&json!("refresh_token"), &json!("panel"))
    );
    let listed = panel.page("/admin/tokens/?state=ended");
    assert_eq!(listed.matches("ended: by an admin").count(), 2, "{listed}");
}

/// Returns a form with a file, as browsers send it.
fn multipart(path: &str, fields: &[(&str, &str)], file: &[u8]) -> Request {
    const BOUNDARY: &str = "----form-7d1c93ab50e2f864";
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    let name = if file.is_empty() { "" } else { "a.jpg" };
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(file);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut request = Request::new("POST", path).header("Content-Type", &content_type);
    request.body = body;
    request
}

fn car_form_saves_picture_and_owner(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (ann, ann_id) = client(&server, "ann");
    let (bob, bob_id) = client(&server, "bob");
    let send = |path: &str, fields: &[(&str, &str)], file: &[u8]| {
        let token = ("csrfmiddlewaretoken", panel.browser.token.as_str());
        panel
            .browser
            .send(multipart(path, &[fields, &[token]].concat(), file))
    };
    let new = [
        ("owner", "ann"),
        ("brand", "Toyota"),
        ("model", "Camry"),
        ("year", "2023"),
        ("license", "B-AB 1"),
        ("mileage", ""),
        ("color", ""),
        ("vin", ""),
        ("notes", ""),
    ];
    let add = "/admin/cars/add/";
    let refused = send(add, &new, b"no picture");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("Upload a valid image."),
        "{}",
        refused.text()
    );
    let mut without_owner = new;
    without_owner[0] = ("owner", "nobody");
    let refused = send(add, &without_owner, b"");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("No user has the username “nobody”."),
        "{}",
        refused.text()
    );
    assert!(plates(&server, &ann.access).is_empty());

    let saved = send(add, &new, TINY_JPEG);
    assert_eq!(
        (saved.status, saved.header("Location").as_deref()),
        (303, Some("/admin/cars/"))
    );
    let cars = server
        .send(&Request::get("/api/cars/").bearer(&ann.access))
        .json(200);
    let car = cars[0]["id"].as_i64().unwrap();
    let picture = text(&cars[0]["image"]);
    assert_eq!(server.send(&Request::get(&picture)).status, 200);
    let entries = panel.history(&format!("object_type=car&object_id={car}"));
    assert_eq!(entries["count"], 2, "the car and its picture");
    assert_eq!(entries["results"][1]["channel"], "panel");

    let path = format!("/admin/cars/{car}/");
    let fields = panel.car_form(ann_id, car);
    panel.save(&path, &with(&fields, &[("owner", "bob")]));
    assert!(plates(&server, &ann.access).is_empty());
    assert_eq!(plates(&server, &bob.access), ["B-AB 1"]);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        entry["changes"],
        json!([{"field": "owner", "before": ann_id, "after": bob_id}])
    );
    let history =
        |access: &str| server.send(&Request::get(&format!("/api/cars/{car}/history/")).bearer(access));
    assert_eq!(history(&ann.access).status, 404);
    let of_bob = history(&bob.access).json(200);
    assert_eq!(
        of_bob["count"], 1,
        "earlier entries are hidden from the new owner"
    );
    assert_eq!(
        of_bob["results"][0]["changes"],
        json!([{"field": "owner", "before": "********", "after": bob_id}]),
        "and so is the former owner"
    );

    let fields = panel.car_form(bob_id, car);
    panel.save(&path, &with(&fields, &[("image-clear", "1")]));
    assert_eq!(server.send(&Request::get(&picture)).status, 404);
    let fields = panel.car_form(bob_id, car);
    let found = panel.submit(&path, &with(&fields, &[("owner", "an"), ("_find", "1")]));
    assert!(
        found.text().contains("name=\"_pick\" value=\"ann\""),
        "{}",
        found.text()
    );
    let found = panel.browser.get("/admin/users/find/?q=an").json(200);
    assert!(
        found
            .as_array()
            .unwrap()
            .iter()
            .any(|user| user["username"] == "ann"),
        "{found}"
    );
}

fn ambiguous_numbers_are_refused_at_their_fields(installation: &Installation) {
    let server = start(installation);
    let (bob, bob_id) = client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let root = Panel::of_root(&server);
    let path = format!("/admin/cars/{car}/");
    let message = "Enter a whole number without decimal or thousands separators, such as 125000.";
    for typed in ["125.000", "12,5", "12.0", "1,250,000"] {
        let refused = root.submit(&path, &with(&root.car_form(bob_id, car), &[("mileage", typed)]));
        let html = refused.text();
        assert_eq!(refused.status, 400, "{typed}: {html}");
        assert!(
            html.contains(message) && html.contains(&format!("value=\"{typed}\"")),
            "{typed}: {html}"
        );
    }
    for (typed, mileage) in [("125 000", "125000"), ("126’000", "126000"), ("١٢٧", "127")] {
        root.save(&path, &with(&root.car_form(bob_id, car), &[("mileage", typed)]));
        assert_eq!(root.car_form(bob_id, car)["mileage"], mileage, "{typed}");
    }
    let filtered = root.browser.get("/admin/cars/?mileage_min=125.000");
    assert_eq!(filtered.status, 400);
    assert!(filtered.text().contains(message), "{}", filtered.text());

    // The same holds for pages of the API, but not for forms of programs.
    let api = format!("/api/cars/{}/", car_of_root(&root));
    let refused = root.submit(&api, &[("_method", "PATCH"), ("mileage", "125.000")]);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains(message), "{}", refused.text());
    let program = Request {
        method: "PATCH".to_owned(),
        ..form(&format!("/api/cars/{car}/"), &[("mileage", "125.000")]).bearer(&bob.access)
    };
    assert_eq!(server.send(&program).json(200)["mileage"], 125);
}

/// Adds a car of the superuser, and returns its id.
fn car_of_root(root: &Panel<'_>) -> i64 {
    let (fields, plate) = (
        [("brand", "VW"), ("model", "Golf"), ("year", "2001")],
        ("license", "B-R 1"),
    );
    root.submit("/api/cars/", &[fields.as_slice(), &[plate]].concat());
    root.browser.get("/api/cars/").json(200)[0]["id"]
        .as_i64()
        .unwrap()
}

fn names_with_bidi_controls_are_isolated(installation: &Installation) {
    let server = start(installation);
    let (bob, bob_id) = client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let root = Panel::of_root(&server);
    let path = format!("/admin/cars/{car}/");
    let brand = "a\u{2069}\u{202e}bc";
    root.save(&path, &with(&root.car_form(bob_id, car), &[("brand", brand)]));
    let label = "\u{2068}a\u{202e}bc\u{2069} ";
    for page in [
        path.clone(),
        format!("{path}delete/"),
        format!("/admin/users/{bob_id}/delete/"),
    ] {
        let html = root.page(&page);
        assert!(html.contains(label), "{page}: {html}");
        assert!(!html.contains("\u{202e}bc "), "{page}: {html}");
    }
    for page in ["/admin/cars/", "/admin/history/"] {
        let html = root.page(page);
        for (place, _) in html.match_indices(brand) {
            let before = &html[..place];
            assert!(before.rfind("<bdi>") > before.rfind("</bdi>"), "{page}: {html}");
        }
    }
}

fn redirects_and_links_stay_on_this_site(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let (_, id) = client(&server, "ann");
    for url in [
        "https://evil.example/",
        "//evil.example/",
        "javascript:evil()",
        "/\\evil.example",
        "/admin/\"><evil",
    ] {
        let escaped = escape(url);
        let cookies = format!(
            "csrftoken={}; sessionid={}; messages=text=Look&label=here&url={escaped}",
            panel.browser.token,
            panel.browser.session.as_ref().unwrap(),
        );
        let answer = server.send(&Request::get("/admin/").header("Cookie", &cookies));
        let html = answer.text();
        assert!(
            html.contains("Look") && !html.contains("=\"https://evil"),
            "{html}"
        );
        for wrong in ["href=\"//evil", "href=\"javascript:", "href=\"/\\", "\"><evil"] {
            assert!(!html.contains(wrong), "{wrong}: {html}");
        }
        let path = format!("/admin/users/{id}/?back={escaped}");
        let page = panel.page(&path);
        let links = page
            .split("href=\"")
            .skip(1)
            .chain(page.split("action=\"").skip(1));
        for link in links.map(|rest| rest.split('"').next().unwrap()) {
            let is_ours = link.starts_with('/') && !link.starts_with("//") || link.starts_with('#');
            assert!(is_ours && !link.starts_with("/\\"), "{link}");
        }
        for then in ["_save", "_continue", "_addanother"] {
            let location = panel.save(&path, &with(&panel.user_form(id), &[(then, "1")]));
            assert!(location.starts_with("/admin/users/"), "{location}");
        }
    }
    let text = escape("<script>alert(1)</script>");
    let session = panel.browser.session.as_ref().unwrap();
    let cookies = format!("sessionid={session}; messages=text={text}");
    let html = server
        .send(&Request::get("/admin/").header("Cookie", &cookies))
        .text();
    assert!(!html.contains("<script>alert"), "{html}");
    for back in ["x%0D%0ASet-Cookie:%20a=b", "%00", "%C3%A4%F0%9F%9A%97", "a%0Ab"] {
        let path = format!("/admin/users/{id}/?back={back}");
        let answer = panel.submit(&path, &with(&panel.user_form(id), &[("phone", "1")]));
        assert_eq!(answer.status, 303, "{back}: {}", answer.text());
        assert!(
            answer.header("Location").unwrap().starts_with("/admin/users/"),
            "{back}"
        );
        assert_eq!(cookie(&answer, "a"), None);
    }
}

fn errors_are_shown_as_pages(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    for path in [
        "/admin/nonsense/",
        "/admin/users/999999/",
        "/admin/users/x/",
        "/admin/users/999999/delete/",
        "/admin/users/999999/history/",
        "/admin/cars/99999999999999999999999/",
        "/admin/cars/0/history/",
    ] {
        let answer = panel.browser.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.text().contains("To the panel"),
            "{path}: {}",
            answer.text()
        );
    }
    for (method, path) in [
        ("GET", "/admin/users/bulk/"),
        ("POST", "/admin/users/"),
        ("DELETE", "/admin/users/1/"),
    ] {
        let token = panel.browser.token.clone();
        let request = Request::new(method, path).header("X-CSRFToken", &token);
        assert_eq!(panel.browser.send(request).status, 405, "{method} {path}");
    }
    for (path, said) in [
        ("/admin/cars/?year_min=x", "Enter a number."),
        ("/admin/history/?at_min=x", "Enter a valid date/time."),
        ("/admin/users/?role=boss", "Select a valid choice."),
        ("/admin/tokens/?state=x", "Select a valid choice"),
    ] {
        let answer = panel.browser.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains(said), "{path}: {}", answer.text());
        let (list, query) = path.split_once('?').unwrap();
        let bulk = format!("{list}bulk/?{query}");
        let answer = panel.submit(&bulk, &[("action", "delete"), ("all", "1")]);
        assert_eq!(answer.status, 400, "{bulk}: {}", answer.text());
    }
    let beyond = panel.browser.get("/admin/users/?offset=1000&search=root");
    assert_eq!(
        beyond.header("Location").as_deref(),
        Some("/admin/users/?search=root")
    );
    let head = panel.browser.send(Request::new("HEAD", "/admin/users/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}
