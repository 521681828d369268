//! Permissions in the panel, and the protection of its forms.

use mycars_testkit::http::{
    Request,
    accounts::{
        PASSWORD, SUPERUSER_PASSWORD, add_car, id_of, log_in, new_admin, new_client, patch_user, plates,
        refresh,
    },
    browser::{Browser, form},
    panel::{Panel, hidden, message, with},
};
use serde_json::json;

use super::OTHER_PASSWORD;
use crate::support::start;

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

#[test]
fn panel_without_admin_session_redirects_or_is_forbidden() {
    let server = start();
    let (ann, id) = new_client(&server, "ann");
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

#[test]
fn demotion_and_deactivation_take_effect_at_once() {
    let server = start();
    let id = new_admin(&server, "ann");
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

#[test]
fn form_without_csrf_proof_is_forbidden() {
    let server = start();
    let (ann, id) = new_client(&server, "ann");
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

#[test]
fn change_of_superuser_by_admin_is_forbidden() {
    let server = start();
    let tokens = log_in(&server, "root", SUPERUSER_PASSWORD);
    let root = id_of(&server, &tokens.access);
    new_admin(&server, "ann");
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

#[test]
fn own_demotion_and_deactivation_are_forbidden() {
    let server = start();
    let ann = new_admin(&server, "ann");
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
