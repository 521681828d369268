//! What pages of other servers can't do in the name of who is logged in.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::json;

use crate::support::{CLIENT, Site, cars};

/// What a page of another server sends: the attributes of its form, and the fields.
struct Attack {
    path: &'static str,
    enctype: &'static str,
    fields: String,
}

#[test]
fn a_form_of_another_server_changes_nothing() {
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
        // As if it had leaked.
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
        // Another port is another origin, but the same site: the browser sends the cookies that are `Lax`.
        // Another name is another site.
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
        "nobody was logged out"
    );
}

#[test]
fn nobody_is_logged_in_by_another_server() {
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
fn a_script_of_another_server_reads_nothing() {
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

/// Loads a page of another server that sends a form at once, and answers what status that leads to.
fn submit_from(host: &str, site: &Site, attack: &Attack) -> u16 {
    let Attack {
        path,
        enctype,
        fields,
    } = attack;
    let html = format!(
        r#"<!doctype html><title>evil</title>
        <form method="post" action="{}{path}" enctype="{enctype}">{fields}</form>
        <script>document.forms[0].submit()</script>"#,
        site.url()
    );
    site.browser.go(&serve(host, html));
    crate::support::wait_for("the form to be sent", || {
        let is_there = site.browser.url().ends_with(path);
        (is_there && site.browser.run("return document.readyState", &[]) == "complete").then_some(())
    });
    site.status()
}

/// Answers one request after another with this page, on a port of its own; the page's URL.
fn serve(host: &str, html: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it listens").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("the browser connects");
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            // A browser that has gone away is not told.
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
                html.len()
            )
            .ok();
        }
    });
    format!("http://{host}:{port}/")
}
