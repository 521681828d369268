//! Mail: passwords that are reset with a link, and the outbox. The mails go to a real mail server.

use std::collections::BTreeSet;

use mycars_testkit::{ReceivedMail, SmtpSink};
use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, id_of, join, log_in, login, patch_user, refresh, register},
    browser::{Browser, form},
    on_both_databases, wait_for,
};

on_both_databases!(
    link_in_a_mail_sets_a_new_password_once,
    links_die_with_changes_of_the_account,
    requests_for_unknown_addresses_look_the_same,
    database_holds_no_reset_token,
    pages_reset_a_password_without_scripts,
    kills_lose_no_mail,
    mail_waits_for_a_mail_server_that_is_away,
);

const NEW_PASSWORD: &str = "Copper-island-35";
pub(crate) const PUBLIC_URL: &str = "https://cars.example.org";

fn start(installation: &Installation, sink: &SmtpSink) -> Server {
    installation.start_with_all(&[
        ("MYCARS__MAIL__URL", &sink.url()),
        ("MYCARS__SERVER__PUBLIC_URL", PUBLIC_URL),
    ])
}

fn request(server: &Server, email: &str) -> Answer {
    // The host of the request must not decide where the link leads.
    let request = Request::post("/api/password/reset/", &json!({"email": email}));
    server.send(&request.header("X-Forwarded-Host", "evil.example"))
}

fn confirm(server: &Server, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "new_password": password});
    server.send(&Request::post("/api/password/reset/confirm/", &body))
}

/// Waits until this number of mails has arrived.
pub(crate) fn mails(sink: &SmtpSink, count: usize) -> Vec<ReceivedMail> {
    wait_for("mails", || {
        Some(sink.mails()).filter(|mails| mails.len() >= count)
    })
}

/// Returns the token in the link of a mail.
#[track_caller]
fn token(mail: &ReceivedMail) -> String {
    let start = format!("{PUBLIC_URL}/api-auth/password/reset/confirm/?token=");
    let links = mail.links();
    let token = links.first().and_then(|link| link.strip_prefix(&start));
    token
        .unwrap_or_else(|| panic!("no link in {}", mail.text()))
        .to_owned()
}

fn link_in_a_mail_sets_a_new_password_once(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    let ann = join(&server, "ann");
    assert_eq!(request(&server, "ANN@example.com").status, 200);
    let mail = &mails(&sink, 1)[0];
    assert_eq!(mail.to, ["ann@example.com"]);
    let token = token(mail);

    let weak = confirm(&server, &token, "ann@example.com").json(400);
    assert_eq!(
        weak,
        json!({"new_password": ["The password is too similar to the email address."]})
    );
    assert_eq!(confirm(&server, &token, NEW_PASSWORD).status, 200);
    server.send(&login("ann", PASSWORD)).json(401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    log_in(&server, "ann", NEW_PASSWORD);
    let told = &mails(&sink, 2)[1];
    assert!(told.text().contains("was changed"), "{}", told.text());

    let used = confirm(&server, &token, PASSWORD);
    let unknown = confirm(&server, "made-up", PASSWORD);
    let access = log_in(&server, "ann", NEW_PASSWORD).access;
    let other_type = confirm(&server, &access, PASSWORD);
    assert_eq!(
        used.json(400),
        json!({"token": ["This link is invalid or has expired. Request a new one."]})
    );
    assert_eq!((&unknown.body, &other_type.body), (&used.body, &used.body));
    let as_access = server.send(&Request::get("/api/me/").bearer(&token));
    assert_eq!(as_access.status, 401);
}

fn links_die_with_changes_of_the_account(installation: &Installation) {
    installation.create_superuser("root");
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    register(&server, "ann");
    let id = id_of(&server, &log_in(&server, "ann", PASSWORD).access);
    let root = || log_in(&server, "root", SUPERUSER_PASSWORD);
    let panel = || {
        let mut browser = Browser::new(&server);
        browser.log_in("root", SUPERUSER_PASSWORD, "/admin/");
        assert_eq!(
            browser
                .submit(&format!("/admin/users/{id}/end-logins/"), &[])
                .status,
            303
        );
    };
    let changes: [&dyn Fn(); 4] = [
        &|| patch_user(&server, id, &json!({"email": "ann2@example.com"})),
        &|| patch_user(&server, id, &json!({"password": PASSWORD})),
        &panel,
        &|| patch_user(&server, id, &json!({"is_active": false})),
    ];
    let mut count = 0;
    for change in changes {
        let path = format!("/api/admin/users/{id}/");
        let user = server.send(&Request::get(&path).bearer(&root().access)).json(200);
        request(&server, user["email"].as_str().unwrap());
        let is_link = |mail: &&ReceivedMail| !mail.links().is_empty();
        let links = wait_for("a link", || {
            let mails = sink.mails();
            let links: Vec<_> = mails.iter().filter(is_link).map(token).collect();
            (links.len() > count).then_some(links)
        });
        count = links.len();
        change();
        assert_eq!(confirm(&server, &links[count - 1], NEW_PASSWORD).status, 400);
    }
}

fn requests_for_unknown_addresses_look_the_same(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    register(&server, "ann");
    register(&server, "eve");
    let known = request(&server, "ann@example.com");
    let unknown = request(&server, "unknown@example.com");
    let names = |answer: &Answer| {
        let names = answer.headers.keys().map(|name| name.as_str().to_owned());
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    assert_eq!(names(&known), names(&unknown));
    assert_eq!(
        request(&server, "no-address").json(400),
        json!({"email": ["Enter a valid email address."]})
    );
    // A later mail arrives after all earlier ones.
    request(&server, "eve@example.com");
    let to: Vec<_> = mails(&sink, 2).into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["ann@example.com"], ["eve@example.com"]]);
    wait_for("an empty outbox", || {
        (!installation.database().dump().contains("password_reset")).then_some(())
    });
}

fn database_holds_no_reset_token(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    register(&server, "ann");
    // While the mail server refuses it, the mail stays in the outbox.
    sink.refuse(451);
    request(&server, "ann@example.com");
    wait_for("an attempt", || {
        server
            .log()
            .contains("could not be sent and is tried again")
            .then_some(())
    });
    assert!(installation.database().dump().contains("password_reset"));
    sink.refuse(0);
    installation
        .database()
        .execute("UPDATE outbox SET due_at = created_at");
    let token = token(&mails(&sink, 1)[0]);
    let dump = installation.database().dump();
    for part in token.split('.').skip(1) {
        assert!(!dump.contains(part));
    }
    assert!(!server.log().contains(&token));
}

fn pages_reset_a_password_without_scripts(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    register(&server, "ann");
    let browser = Browser::new(&server);
    let login_page = browser.get("/api-auth/login/").text();
    assert!(
        login_page.contains("href=\"/api-auth/password/reset/\""),
        "{login_page}"
    );
    let path = "/api-auth/password/reset/";
    assert_eq!(
        server.send(&form(path, &[("email", "ann@example.com")])).status,
        403,
        "without CSRF token"
    );
    let sent = browser.submit(path, &[("email", "ann@example.com")]);
    assert!(
        sent.status == 200 && sent.text().contains("a link is on its way"),
        "{}",
        sent.text()
    );
    assert_eq!(browser.submit(path, &[("email", "ann")]).status, 400);

    let link = mails(&sink, 1)[0].links().remove(0);
    let page = browser.get(link.strip_prefix(PUBLIC_URL).unwrap());
    assert_eq!(page.status, 200, "{}", page.text());
    let token = link.split_once("token=").unwrap().1;
    let path = "/api-auth/password/reset/confirm/";
    let refused = browser.submit(path, &[("token", token), ("new_password", "12345678")]);
    assert!(
        refused.status == 400 && refused.text().contains("too common"),
        "{}",
        refused.text()
    );
    let done = browser.submit(path, &[("token", token), ("new_password", NEW_PASSWORD)]);
    assert!(
        done.status == 200 && done.text().contains("Password updated"),
        "{}",
        done.text()
    );
    log_in(&server, "ann", NEW_PASSWORD);
    let used = browser.submit(path, &[("token", token), ("new_password", NEW_PASSWORD)]);
    assert!(
        used.status == 400 && used.text().contains("This link is invalid"),
        "{}",
        used.text()
    );
}

/// The server is killed at many moments between a request and the delivery of its mail. `MYCARS_KILLS` sets their
/// number.
fn kills_lose_no_mail(installation: &Installation) {
    let kills = std::env::var("MYCARS_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(4);
    let sink = SmtpSink::start();
    let mut server = start(installation, &sink);
    for number in 0..kills {
        register(&server, &format!("ann{number}"));
    }
    for number in 0..kills {
        assert_eq!(request(&server, &format!("ann{number}@example.com")).status, 200);
        // From before the attempt to after the deletion.
        let moment = std::time::Duration::from_millis(1_200 * number / kills.max(1));
        std::thread::sleep(moment);
        server.kill();
        // A mail whose delivery was interrupted would be due again after a minute.
        installation.database().wait_until_unused();
        installation
            .database()
            .execute("UPDATE outbox SET due_at = created_at");
        server = start(installation, &sink);
    }
    let expected: BTreeSet<String> = (0..kills)
        .map(|number| format!("ann{number}@example.com"))
        .collect();
    let received = || -> BTreeSet<String> { sink.mails().into_iter().flat_map(|mail| mail.to).collect() };
    wait_for("every mail", || (received() == expected).then_some(()));
    let count = sink.mails().len() as u64;
    assert!(count <= 2 * kills, "{count} mails for {kills} requests");
}

fn mail_waits_for_a_mail_server_that_is_away(installation: &Installation) {
    let sink = SmtpSink::start();
    let url = sink.url();
    drop(sink);
    let variables = [
        ("MYCARS__MAIL__URL", url.as_str()),
        ("MYCARS__SERVER__PUBLIC_URL", PUBLIC_URL),
    ];
    let server = installation.start_with_all(&variables);
    register(&server, "ann");
    assert_eq!(request(&server, "ann@example.com").status, 200);
    wait_for("an attempt", || {
        server
            .log()
            .contains("could not be sent and is tried again")
            .then_some(())
    });
    server.stop();
    let sink = SmtpSink::start();
    let server = start(installation, &sink);
    installation
        .database()
        .execute("UPDATE outbox SET due_at = created_at");
    token(&mails(&sink, 1)[0]);
    drop(server);
}

#[test]
fn without_mail_a_reset_is_refused_with_advice() {
    let installation = Installation::on(mycars_testkit::TestDatabase::sqlite());
    let server = installation.start();
    let refused: Value = request(&server, "ann@example.com").json(403);
    assert!(
        refused["detail"].as_str().unwrap().contains("sends no mail"),
        "{refused}"
    );
    assert_eq!(
        server.send(&Request::get("/api-auth/password/reset/")).status,
        403
    );
    let login_page = server.send(&Request::get("/api-auth/login/")).text();
    assert!(!login_page.contains("/api-auth/password/reset/"));
    let refusal = installation
        .run_with(&["migrate"], "MYCARS__MAIL__URL", "smtp://127.0.0.1:25")
        .refusal();
    assert!(refusal.contains("MYCARS__SERVER__PUBLIC_URL"), "{refusal}");
}

#[test]
fn resets_are_limited_by_account_and_address() {
    let sink = SmtpSink::start();
    let installation = Installation::on(mycars_testkit::TestDatabase::sqlite())
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .with("MYCARS__THROTTLE__PASSWORD_RESET", "3/hour");
    let server = start(&installation, &sink);
    let from = |address: u8, email: &str| {
        let request = Request::post("/api/password/reset/", &json!({"email": email}));
        let request = request.header("X-Forwarded-For", &format!("192.0.2.{address}"));
        server.send(&request).status
    };
    let of_one_account: Vec<u16> = (1..=4).map(|address| from(address, "Ann@example.com")).collect();
    assert_eq!(of_one_account, [200, 200, 200, 429]);
    assert_eq!(from(8, " \u{1c}ANN@example.com"), 429, "it is the same account");
    let of_one_address: Vec<u16> = (1..=4)
        .map(|user| from(9, &format!("user{user}@example.com")))
        .collect();
    assert_eq!(of_one_address, [200, 200, 200, 429]);
}
