//! Cross-site request forgery: pages of other servers cannot act for a logged-in user.

use serde_json::json;

use crate::support::{
    CLIENT, Site,
    attack::{Attack, serve, submit_from},
    cars,
};

#[test]
fn foreign_form_changes_nothing() {
    let site = Site::open();
    let ann = site.api_of(CLIENT);
    let car = ann.create("/api/cars/", &cars::car("B-AB 1"));
    assert_eq!(car, 1);
    site.log_in(CLIENT);
    let token = site.browser.cookie("csrftoken").unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let field = |name: &str, value: &str| format!(r#"<input name="{name}" value="{value}">"#);
    let new_car = ["brand", "model"].map(|name| field(name, "Fiat")).concat()
        + &field("year", "2020")
        + &field("license", "EVIL");
    let attacks = [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ]
    .map(|enctype| Attack {
        path: "/api/cars/",
        enctype,
        fields: new_car.clone(),
    });
    let with_token = Attack {
        path: "/api/cars/",
        enctype: "multipart/form-data",
        // The token is used as if it had leaked.
        fields: new_car.clone() + &field("csrfmiddlewaretoken", &token),
    };
    let deletion = Attack {
        path: "/api/cars/1/",
        enctype: "multipart/form-data",
        fields: field("_method", "DELETE"),
    };
    let logout = Attack {
        path: "/api-auth/logout/",
        enctype: "application/x-www-form-urlencoded",
        fields: String::new(),
    };
    let before = ann.get("/api/cars/");
    for attack in attacks.into_iter().chain([with_token, deletion, logout]) {
        // Another port is another origin, but the same site: the browser sends the `Lax` cookies. Another host is
        // another site.
        for (host, is_same_site) in [("127.0.0.1", true), ("localhost", false)] {
            let status = submit_from(host, &site, &attack);
            let text = site.browser.text();
            let what = format!("{} as {} from {host}: {text}", attack.path, attack.enctype);
            if is_same_site || attack.path.starts_with("/api-auth/") {
                assert_eq!(status, 403, "{what}");
            } else {
                assert!(matches!(status, 401 | 403), "{what}");
            }
            assert_eq!(ann.get("/api/cars/"), before, "{what}");
        }
    }
    site.visit("/api/");
    assert_eq!(
        site.browser.find(".username").text(),
        CLIENT,
        "no user was logged out"
    );
}

#[test]
fn foreign_form_logs_no_user_in() {
    let site = Site::open();
    let attack = Attack {
        path: "/api-auth/login/",
        enctype: "application/x-www-form-urlencoded",
        fields: r#"<input name="username" value="ann"><input name="password" value="Quartz-meadow-71">"#
            .to_owned(),
    };
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(submit_from(host, &site, &attack), 403, "{}", site.browser.text());
        assert!(site.browser.cookie("sessionid").is_none());
    }
}

#[test]
fn foreign_script_reads_nothing() {
    let site = Site::open();
    site.log_in(CLIENT);
    site.browser.go(&serve(
        "127.0.0.1",
        "<!doctype html><title>evil</title>".to_owned(),
    ));
    let script = "const [url, done] = arguments;
        fetch(url, {credentials: 'include'}).then((answer) => answer.text()).then(done, () => done(null));";
    let read = site
        .browser
        .run_async(script, &[json!(format!("{}/api/me/", site.url()))]);
    assert!(read.is_null(), "{read}");
    let script = "const [url, done] = arguments;
        fetch(url, {method: 'DELETE', credentials: 'include'}).then(() => done(true), () => done(false));";
    let sent = site
        .browser
        .run_async(script, &[json!(format!("{}/api/cars/1/", site.url()))]);
    assert_eq!(sent, false);
}
