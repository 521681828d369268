//! Access to the panel: permissions and refused requests.

use serde_json::{Value, json};

use crate::support::{
    CLIENT, PASSWORD, ROOT, Site,
    attack::{Attack, submit_from},
    cars,
};

/// An admin without the superuser flag.
const BOSS: &str = "boss";

/// URLs that are not pages of this server.
const ELSEWHERE: [&str; 5] = [
    "https://evil.example/",
    "//evil.example/admin/",
    "/%5Cevil.example",
    "%2F%2Fevil.example",
    "javascript:alert(1)",
];

/// Creates an admin and returns their id.
fn create_admin(site: &Site) -> u64 {
    let boss = json!({
        "username": BOSS, "email": "boss@example.com", "first_name": "Bo", "last_name": "Ss",
        "password": PASSWORD, "password2": PASSWORD, "role": "admin",
    });
    site.api_of(ROOT).create("/api/admin/users/", &boss)
}

#[test]
fn panel_without_a_login_redirects_to_it_and_back() {
    let site = Site::open();
    for page in [
        "/admin/cars/?search=a+b&ordering=-year",
        "/admin/users/1/",
        "/admin/nowhere/",
    ] {
        site.visit(page);
        assert!(
            site.path().starts_with("/api-auth/login/?next=%2Fadmin%2F"),
            "{}",
            site.path()
        );
        site.fill_in_login(ROOT, PASSWORD);
        assert_eq!(site.path(), page);
        site.leave_panel();
    }
    site.assert_quiet();
}

#[test]
fn panel_refuses_clients() {
    let site = Site::open();
    site.log_in(CLIENT);
    for page in [
        "/admin/",
        "/admin/users/",
        "/admin/users/2/",
        "/admin/cars/add/",
        "/admin/password/",
    ] {
        assert_eq!(site.visit(page), 403, "{page}");
        let problem = site.problem();
        assert!(
            problem.contains("You are logged in as ann, who is no admin."),
            "{problem}"
        );
        assert!(
            site.browser.try_to_find(".sections").is_none(),
            "no way in is shown"
        );
        assert!(
            !site.browser.text().contains("root"),
            "nothing of the panel is told"
        );
    }
    // Clients can log out, to log in as another user.
    site.leave_panel();
    site.fill_in_login(ROOT, PASSWORD);
    assert_eq!(site.path(), "/admin/");
    assert_eq!(site.status(), 200);
    site.assert_quiet();
}

#[test]
fn panel_offers_admins_only_allowed_actions() {
    let site = Site::open();
    create_admin(&site);
    site.enter_panel(BOSS);
    assert_eq!(site.visit("/admin/users/1/"), 200);
    assert!(
        site.browser
            .text()
            .contains("Only a superuser can change a superuser.")
    );
    assert_eq!(site.texts("main form button"), Vec::<String>::new());
    assert_eq!(site.texts("main > .head .tools a"), ["History"]);
    let open = "return document.querySelectorAll('main form fieldset :enabled').length";
    assert_eq!(site.browser.run(open, &[]), 0);
    for page in ["delete/", "password/", "end-logins/"] {
        let page = format!("/admin/users/1/{page}");
        // A confirmation page is shown also without the right to confirm; the request itself is refused.
        site.visit(&page);
        assert_eq!(
            post(
                &site,
                &page,
                &json!({"password": "Walnut-harbour-38", "password2": "Walnut-harbour-38"})
            ),
            403
        );
    }
    let change = json!({"username": "root", "email": "x@example.com", "first_name": "X", "last_name": "Y"});
    assert_eq!(post(&site, "/admin/users/1/", &change), 403);
    assert_eq!(site.api_of(ROOT).get("/api/me/")["email"], "root@example.com");

    // Admins see no button to delete themselves, and no fields for their own role and activity.
    site.visit("/admin/users/3/");
    let labels = site.texts("main label");
    assert!(
        labels.iter().all(|label| label != "Active" && label != "Role"),
        "{labels:?}"
    );
    assert!(!site.texts("main > .head .tools a").contains(&"Delete".to_owned()));
    assert_eq!(post(&site, "/admin/users/3/delete/", &json!({})), 403);

    // A bulk action skips users that may not be changed, and reports them.
    site.visit("/admin/users/");
    site.browser.find("[data-tick-all]").click();
    assert_eq!(site.choose_action("Deactivate"), 200);
    assert_eq!(site.follow(&site.button("Deactivate (3 users)")), 200);
    let told = site.problem();
    assert!(told.starts_with("1 user deactivated. "), "{told}");
    assert!(told.contains(" 1 refused: "), "{told}");
    let active = site.api_of(ROOT).get("/api/admin/users/?role=all&ordering=id");
    let active: Vec<_> = active["results"]
        .as_array()
        .unwrap_or_else(|| active.as_array().unwrap())
        .iter()
        .map(|user| {
            (
                user["username"].as_str().unwrap(),
                user["is_active"].as_bool().unwrap(),
            )
        })
        .collect();
    for user in [(ROOT, true), (CLIENT, false), (BOSS, true)] {
        assert!(active.contains(&user), "{active:?}");
    }
}

/// Sends a form of this page with its CSRF token, and returns the status.
#[track_caller]
fn post(site: &Site, path: &str, fields: &Value) -> u16 {
    let script = "const [path, fields, done] = arguments;
        const token = document.querySelector('[name=csrfmiddlewaretoken]').value;
        const body = new URLSearchParams({...fields, csrfmiddlewaretoken: token});
        fetch(path, {method: 'POST', body}).then((answer) => done(answer.status), () => done(0));";
    let status = site.browser.run_async(script, &[json!(path), fields.clone()]);
    status.as_u64().and_then(|status| status.try_into().ok()).unwrap()
}

#[test]
fn demoted_admin_cannot_use_an_open_page() {
    let site = Site::open();
    let boss = create_admin(&site);
    site.enter_panel(BOSS);
    for is_click in [true, false] {
        let root = site.api_of(ROOT);
        site.visit("/admin/users/2/");
        site.change_form().fill("Last name", "Mine");
        root.change(&format!("/api/admin/users/{boss}/"), &json!({"role": "client"}));
        let status = if is_click {
            site.follow(&site.link("Cars"))
        } else {
            site.change_form().press("Save")
        };
        assert_eq!(status, 403);
        assert!(
            site.problem()
                .contains("You are logged in as boss, who is no admin.")
        );
        assert_eq!(root.get("/api/admin/users/2/")["last_name"], "Lee");
        root.change(&format!("/api/admin/users/{boss}/"), &json!({"role": "admin"}));
    }
    // A deactivated user is no longer logged in.
    site.visit("/admin/users/2/");
    site.api_of(ROOT)
        .change(&format!("/api/admin/users/{boss}/"), &json!({"is_active": false}));
    site.follow(&site.link("Cars"));
    assert!(site.path().starts_with("/api-auth/login/"), "{}", site.path());
    site.assert_quiet();
}

#[test]
fn foreign_form_changes_nothing_in_the_panel() {
    let site = Site::open();
    let root = site.api_of(ROOT);
    site.api_of(CLIENT).create("/api/cars/", &cars::car("B-AB 1"));
    site.enter_panel(ROOT);
    let token = site.browser.cookie("csrftoken").unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let fields = |fields: &[(&str, &str)]| {
        let field = |(name, value): &(&str, &str)| format!(r#"<input name="{name}" value="{value}">"#);
        fields.iter().map(field).collect::<String>()
    };
    let user = [
        ("username", "evil"),
        ("email", "evil@example.com"),
        ("first_name", "E"),
        ("last_name", "Vil"),
        ("role", "admin"),
        ("is_active", "true"),
        ("password", "Walnut-harbour-38"),
        ("password2", "Walnut-harbour-38"),
    ];
    let leaked = [("csrfmiddlewaretoken", token.as_str())];
    let password = [
        ("old_password", PASSWORD),
        ("new_password", "Walnut-harbour-38"),
        ("new_password2", "Walnut-harbour-38"),
    ];
    let attacks = [
        ("/admin/users/add/", fields(&user)),
        ("/admin/users/add/", fields(&user) + &fields(&leaked)),
        ("/admin/users/2/", fields(&user) + &fields(&leaked)),
        ("/admin/users/2/delete/", String::new()),
        ("/admin/users/2/delete/", fields(&leaked)),
        ("/admin/users/2/password/", fields(&user)),
        ("/admin/users/2/end-logins/", fields(&leaked)),
        (
            "/admin/users/bulk/",
            fields(&[("action", "delete"), ("confirmed", "1"), ("selected", "2")]),
        ),
        (
            "/admin/cars/bulk/",
            fields(&[("action", "delete"), ("confirmed", "1"), ("all", "1")]),
        ),
        ("/admin/cars/1/delete/", fields(&leaked)),
        ("/admin/password/", fields(&password) + &fields(&leaked)),
    ];
    let state = || {
        (
            root.get("/api/admin/users/?role=all"),
            root.get("/api/admin/users/2/"),
            root.get("/api/admin/users/2/cars/1/"),
        )
    };
    let before = state();
    for (path, fields) in attacks {
        for enctype in ["application/x-www-form-urlencoded", "multipart/form-data"] {
            // Another port is another origin, but the same site: the browser sends the `Lax` cookies. Another host is
            // another site.
            for (host, is_same_site) in [("127.0.0.1", true), ("localhost", false)] {
                let attack = Attack {
                    path,
                    enctype,
                    fields: fields.clone(),
                };
                let status = submit_from(host, &site, &attack);
                let what = format!("{path} as {enctype} from {host}: {}", site.browser.text());
                if is_same_site {
                    assert_eq!(status, 403, "{what}");
                } else {
                    assert!(site.path().starts_with("/api-auth/login/"), "{what}");
                }
                assert_eq!(state(), before, "{what}");
            }
        }
    }
    assert_eq!(site.visit("/admin/"), 200, "the admin is still logged in");
    assert_eq!(site.browser.find(".username").text(), ROOT);
}

#[test]
fn planted_session_is_replaced_at_login() {
    let site = Site::open();
    // The session key of another user's login, and one that does not exist.
    site.log_in(CLIENT);
    let known = site.browser.cookie("sessionid").unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let made_up = "a".repeat(known.len());
    for planted in [&known, &made_up] {
        site.browser.plant_cookie("sessionid", planted);
        site.browser.plant_cookie("csrftoken", &"b".repeat(32));
        site.visit("/api-auth/login/?next=/admin/");
        site.fill_in_login(ROOT, PASSWORD);
        assert_eq!(site.path(), "/admin/");
        let cookie = |name: &str| {
            site.browser.cookie(name).unwrap()["value"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_ne!(&cookie("sessionid"), planted);
        assert_ne!(cookie("csrftoken"), "b".repeat(32));
        let status = |key: &str| {
            site.api()
                .status_with_cookie("/admin/", &format!("sessionid={key}"))
        };
        assert_eq!(status(planted), 303, "the session has ended");
        assert_eq!(status(&cookie("sessionid")), 200);
        site.leave_panel();
    }
    site.assert_quiet();
}

#[test]
fn panel_never_redirects_to_another_server() {
    let site = Site::open();
    for elsewhere in ELSEWHERE {
        // After login, the browser is sent to the page of the panel that was requested, whatever else is in the URL.
        for page in [format!("/admin/?next={elsewhere}"), format!("/admin/{elsewhere}")] {
            site.visit(&page);
            site.fill_in_login(ROOT, PASSWORD);
            assert!(
                site.path().starts_with("/admin/"),
                "{page} led to {}",
                site.browser.url()
            );
            site.visit("/admin/");
            site.leave_panel();
        }
        site.visit(&format!("/api-auth/login/?next={elsewhere}"));
        site.fill_in_login(ROOT, PASSWORD);
        assert_eq!(site.path(), "/api/", "{elsewhere}");

        // The link back to a list leads to that list.
        site.visit(&format!("/admin/users/2/?back={elsewhere}"));
        let links = "return [...document.querySelectorAll('a[href], form[action]')]
            .map((it) => it.href || it.action).filter((it) => new URL(it).origin !== location.origin)";
        assert_eq!(site.browser.run(links, &[]), json!([]), "{elsewhere}");
        assert_eq!(site.change_form().press("Save"), 200);
        assert!(
            site.path().starts_with("/admin/users/?"),
            "{elsewhere} led to {}",
            site.browser.url()
        );
        site.visit("/admin/");
        site.leave_panel();
    }
    // A message planted in a cookie has no link to another server.
    site.enter_panel(ROOT);
    site.browser.plant_cookie(
        "messages",
        "text=Look&label=here&url=https%3A%2F%2Fevil.example%2F",
    );
    site.visit("/admin/");
    assert_eq!(site.notice(), "Look");
    site.assert_quiet();
}

#[test]
fn html_in_input_is_shown_as_text_in_the_panel() {
    let site = Site::open();
    let hostile = r#""><img src=x onerror=window.hacked=1><script>window.hacked=1</script>"#;
    let ann = site.api_of(CLIENT);
    ann.change("/api/me/", &json!({"first_name": "<b>A", "last_name": hostile}));
    let mut car = cars::car("<b onclick=hacked=1>");
    for name in ["notes", "brand", "model"] {
        car[name] = json!(hostile.chars().take(50).collect::<String>());
    }
    ann.create("/api/cars/", &car);
    site.enter_panel(ROOT);
    let query = site
        .browser
        .run("return encodeURIComponent(arguments[0])", &[json!(hostile)]);
    let query = query.as_str().unwrap();
    let pages = [
        "/admin/".to_owned(),
        "/admin/users/".into(),
        "/admin/users/2/".into(),
        "/admin/users/2/delete/".into(),
        "/admin/users/2/history/".into(),
        "/admin/cars/".into(),
        "/admin/cars/1/".into(),
        "/admin/cars/1/delete/".into(),
        "/admin/cars/1/history/".into(),
        "/admin/history/".into(),
        format!(
            "/admin/cars/?search={query}&year_min={query}&ordering={query}&limit={query}&{query}={query}"
        ),
        format!("/admin/history/?at_min={query}&action={query}&object_id={query}"),
        format!("/admin/tokens/?state={query}&search={query}"),
        format!("/admin/cars/add/?owner={query}&brand={query}&back={query}"),
        format!("/admin/{query}/"),
    ];
    for page in pages {
        site.visit(&page);
        let script = "return {
            hacked: window.hacked !== undefined,
            foreign: [...document.querySelectorAll('script:not([src]), img[src=x], main b[onclick], [onerror]')].length,
        }";
        assert_eq!(
            site.browser.run(script, &[]),
            json!({"hacked": false, "foreign": 0}),
            "{page}"
        );
    }
    site.assert_quiet();
}
