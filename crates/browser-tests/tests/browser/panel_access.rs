//! Access to the panel, and requests from other sites.

use serde_json::json;

use crate::support::{
    CLIENT, PASSWORD, ROOT, Site,
    attack::{Attack, submit_from},
    cars,
};

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
