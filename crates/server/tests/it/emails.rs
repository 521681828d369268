//! E-mail addresses: changes that are told to the old address and undone, and addresses that must be verified. The mails go
//! to a real mail server.

use mycars_testkit::{ReceivedMail, SmtpSink, TestDatabase};
use serde_json::{Value, json};

use crate::{
    mail::{PUBLIC_URL, mails},
    support::{
        Answer, Installation, Request, Server,
        accounts::{
            PASSWORD, SUPERUSER_PASSWORD, Tokens, join, log_in, login, me, patch_user, refresh, register,
            registration,
        },
        browser::{Browser, form},
        on_both_databases, wait_for,
    },
};

on_both_databases!(
    changed_email_is_told_to_the_old_one_and_undone_once,
    undo_survives_all_changes_of_a_thief,
    theft_after_an_honest_change_is_told_to_the_verified_email,
    undo_link_is_sent_after_a_return_to_the_old_email,
    old_email_is_reserved_for_the_undo,
    new_email_replaces_the_old_one_when_verified,
    registered_user_logs_in_after_verification,
    mistyped_new_email_does_not_lock_an_unverified_user_out,
    verification_link_dies_with_other_changes,
    pending_email_ends_with_the_login_of_a_thief,
    requests_for_all_addresses_look_the_same,
    emails_of_admins_are_verified,
    reset_password_verifies_the_email,
    pages_verify_and_undo_without_scripts,
    erased_user_leaves_no_emails_or_tokens_in_the_database,
);

const INVALID: &str = r#"{"token":["This link is invalid or has expired. Request a new one."]}"#;
const NEW_PASSWORD: &str = "Copper-island-35";

fn start(installation: &Installation, sink: &SmtpSink, requires_verified_email: bool) -> Server {
    installation.start_with_all(&[
        ("MYCARS__MAIL__URL", &sink.url()),
        ("MYCARS__SERVER__PUBLIC_URL", PUBLIC_URL),
        (
            "MYCARS__ACCOUNTS__REQUIRE_VERIFIED_EMAIL",
            &requires_verified_email.to_string(),
        ),
    ])
}

fn change_email(server: &Server, access: &str, email: &str) -> Answer {
    let request = Request::new("PATCH", "/api/me/").json(&json!({"email": email}));
    // The host of the request must not decide where a link leads.
    server.send(&request.bearer(access).header("X-Forwarded-Host", "evil.example"))
}

fn email_of(server: &Server, access: &str) -> Value {
    me(server, access).json(200)["email"].clone()
}

fn post(server: &Server, path: &str, token: &str) -> Answer {
    server.send(&Request::post(path, &json!({"token": token})))
}

fn verify(server: &Server, token: &str) -> Answer {
    post(server, "/api/email/verify/", token)
}

fn undo(server: &Server, token: &str) -> Answer {
    post(server, "/api/email/undo/", token)
}

fn resend(server: &Server, email: &str) -> Answer {
    server.send(&Request::post(
        "/api/email/verify/resend/",
        &json!({"email": email}),
    ))
}

/// Returns the path of the page in the link of a mail, and the token.
#[track_caller]
fn link(mail: &ReceivedMail) -> (String, String) {
    let links = mail.links();
    let path = links.first().and_then(|link| link.strip_prefix(PUBLIC_URL));
    let parts = path.and_then(|path| path.split_once("?token="));
    let (path, token) = parts.unwrap_or_else(|| panic!("no link in {}", mail.text()));
    (path.to_owned(), token.to_owned())
}

/// Waits for the mail with this number, which goes to `to` and has a link to `path`, and returns its token.
#[track_caller]
fn token(sink: &SmtpSink, number: usize, to: &str, path: &str) -> String {
    let mail = &mails(sink, number)[number - 1];
    assert_eq!(mail.to, [to]);
    let (leads_to, token) = link(mail);
    assert_eq!(leads_to, path);
    token
}

const VERIFY: &str = "/api-auth/email/verify/";
const UNDO: &str = "/api-auth/email/undo/";

fn changed_email_is_told_to_the_old_one_and_undone_once(installation: &Installation) {
    installation.create_superuser("root");
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    let answer = change_email(&server, &ann.access, "new@example.com").json(200);
    assert_eq!(answer["email"], "new@example.com");
    let token = token(&sink, 1, "ann@example.com", UNDO);

    assert_eq!(undo(&server, &token).status, 200);
    assert_eq!(me(&server, &ann.access).status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    server.send(&login("ann", PASSWORD)).json(401);
    let told: Vec<_> = mails(&sink, 4)
        .into_iter()
        .skip(1)
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(told, ["ann@example.com", "new@example.com", "ann@example.com"]);
    let ann = set_password(&server, &sink, 4);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");

    let used = undo(&server, &token);
    assert_eq!((used.status, used.text().as_str()), (400, INVALID));
    for unknown in ["made-up", ann.access.as_str(), ""] {
        assert_eq!(undo(&server, unknown).status, 400);
    }
    assert_eq!(undo(&server, "made-up").body, used.body);
    assert_eq!(
        undo(&server, &ann.access).body,
        used.body,
        "it is of another type"
    );
    assert_eq!(me(&server, &token).status, 401, "it is no access token");

    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let history = Request::get("/api/admin/history/?object_type=user&actor=2").bearer(&root);
    let entries = server.send(&history).json(200)["results"].clone();
    let changes = &entries[1]["changes"];
    assert_eq!(
        changes[0],
        json!({"field": "email", "before": "new@example.com", "after": "ann@example.com"})
    );
    assert_eq!(changes[1]["field"], "password");
    assert_eq!(changes[2]["field"], "refresh_tokens");
    assert!(server.log().contains("email_changed"));
}

fn undo_survives_all_changes_of_a_thief(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    change_email(&server, &ann.access, "thief@example.com").json(200);
    let token = token(&sink, 1, "ann@example.com", UNDO);
    change_email(&server, &ann.access, "thief2@example.com").json(200);
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = Request::new("PUT", "/api/change-password/").json(&change);
    server.send(&request.bearer(&ann.access)).json(200);
    // The notice about the password: the second change was told to no address that a thief may have.
    assert_eq!(mails(&sink, 2)[1].to, ["thief2@example.com"]);
    assert!(mails(&sink, 2)[1].links().is_empty());

    assert_eq!(undo(&server, &token).status, 200);
    for password in [PASSWORD, NEW_PASSWORD] {
        server.send(&login("ann", password)).json(401);
    }
    assert_eq!(mails(&sink, 4)[3].to, ["thief2@example.com"]);
    let ann = set_password(&server, &sink, 5);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn theft_after_an_honest_change_is_told_to_the_verified_email(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    change_email(&server, &ann.access, "new@example.com").json(200);
    let undo_token = token(&sink, 1, "ann@example.com", UNDO);
    resend(&server, "new@example.com").json(200);
    verify(&server, &token(&sink, 2, "new@example.com", VERIFY)).json(200);
    change_email(&server, &ann.access, "thief@example.com").json(200);
    let told = &mails(&sink, 3)[2];
    assert_eq!(
        (&told.to[..], told.links().len()),
        (&["new@example.com".to_owned()][..], 0)
    );
    undo(&server, &undo_token).json(200);
}

fn undo_link_is_sent_after_a_return_to_the_old_email(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    // While the mail server refuses it, the notice stays in the outbox.
    sink.refuse(451);
    for email in ["thief@example.com", "ann@example.com", "thief@example.com"] {
        change_email(&server, &ann.access, email).json(200);
    }
    wait_for("an attempt", || {
        let log = server.log();
        log.contains("could not be sent and is tried again").then_some(())
    });
    change_email(&server, &ann.access, "ann@example.com").json(200);
    sink.refuse(0);
    installation
        .database()
        .execute("UPDATE outbox SET due_at = created_at");
    let token = token(&sink, 1, "ann@example.com", UNDO);
    change_email(&server, &ann.access, "thief@example.com").json(200);
    undo(&server, &token).json(200);
    let ann = set_password(&server, &sink, 4);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn old_email_is_reserved_for_the_undo(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let [ann, eve] = ["ann", "eve"].map(|name| join(&server, name));
    change_email(&server, &ann.access, "thief@example.com").json(200);
    let token = token(&sink, 1, "ann@example.com", UNDO);
    let refusal = json!({"email": ["This email is already registered."]});
    let registered = server.send(&registration("zoe", "ANN@example.com"));
    assert_eq!(registered.json(400), refusal);
    let changed = change_email(&server, &eve.access, "ann@example.com");
    assert_eq!(changed.json(400), refusal);

    undo(&server, &token).json(200);
    server.send(&registration("zoe", "thief@example.com")).json(201);
}

fn new_email_replaces_the_old_one_when_verified(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    server.stop();
    let server = start(installation, &sink, true);
    let pending = change_email(&server, &ann.access, "new@example.com").json(200);
    assert_eq!(pending["email"], "ann@example.com");
    let token_of_new = token(&sink, 1, "new@example.com", VERIFY);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");

    assert_eq!(verify(&server, &token_of_new).status, 200);
    assert_eq!(email_of(&server, &ann.access), "new@example.com");
    let used = verify(&server, &token_of_new);
    assert_eq!((used.status, used.text().as_str()), (400, INVALID));
    assert_eq!(verify(&server, "made-up").body, used.body);
    log_in(&server, "ann", PASSWORD);

    let token_of_old = token(&sink, 2, "ann@example.com", UNDO);
    assert_eq!(
        verify(&server, &token_of_old).body,
        used.body,
        "it is of another type"
    );
    assert_eq!(undo(&server, &token_of_old).status, 200);
    let ann = set_password(&server, &sink, 5);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn registered_user_logs_in_after_verification(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, true);
    register(&server, "ann");
    let token_of_ann = token(&sink, 1, "ann@example.com", VERIFY);
    let refused = server.send(&login("ann", PASSWORD)).json(401);
    assert_eq!(refused["code"], "email_not_verified");
    let wrong = server.send(&login("ann", "wrong")).json(401);
    assert_eq!(
        wrong["detail"],
        "No active account found with the given credentials"
    );
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 401, "it stays so");

    assert_eq!(resend(&server, "ANN@example.com").status, 200);
    let again = token(&sink, 2, "ann@example.com", VERIFY);
    assert_eq!(verify(&server, &again).status, 200);
    assert_eq!(
        verify(&server, &token_of_ann).status,
        400,
        "another link was used"
    );
    let ann = log_in(&server, "ann", PASSWORD);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn mistyped_new_email_does_not_lock_an_unverified_user_out(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    server.stop();
    let server = start(installation, &sink, true);
    resend(&server, "ann@example.com").json(200);
    let first = token(&sink, 1, "ann@example.com", VERIFY);
    change_email(&server, &ann.access, "mistyped@example.com").json(200);
    token(&sink, 2, "mistyped@example.com", VERIFY);
    server.send(&login("ann", PASSWORD)).json(401);
    resend(&server, "ann@example.com").json(200);
    token(&sink, 3, "ann@example.com", VERIFY);
    verify(&server, &first).json(200);
    let ann = log_in(&server, "ann", PASSWORD);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn verification_link_dies_with_other_changes(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    server.stop();
    let server = start(installation, &sink, true);
    change_email(&server, &ann.access, "first@example.com").json(200);
    let first = token(&sink, 1, "first@example.com", VERIFY);
    change_email(&server, &ann.access, "second@example.com").json(200);
    let second = token(&sink, 2, "second@example.com", VERIFY);
    assert_eq!(verify(&server, &first).text(), INVALID);
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = Request::new("PUT", "/api/change-password/").json(&change);
    server.send(&request.bearer(&ann.access)).json(200);
    assert_eq!(verify(&server, &second).text(), INVALID);

    change_email(&server, &ann.access, "third@example.com").json(200);
    let third = link(&mails(&sink, 4)[3]).1;
    server.send(&registration("eve", "third@example.com")).json(201);
    let taken = verify(&server, &third).json(400);
    assert_eq!(taken, json!({"email": ["This email is already registered."]}));
    installation
        .database()
        .execute("UPDATE users SET is_active = false WHERE username = 'ann'");
    assert_eq!(verify(&server, &third).text(), INVALID);
    installation
        .database()
        .execute("UPDATE users SET is_active = true WHERE username = 'ann'");
    mails(&sink, 5);
    let ann = reset_password(&server, &sink);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn pending_email_ends_with_the_login_of_a_thief(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    let thief = log_in(&server, "ann", PASSWORD);
    server.stop();
    let server = start(installation, &sink, true);
    change_email(&server, &thief.access, "thief@example.com").json(200);
    let first = token(&sink, 1, "thief@example.com", VERIFY);
    let others = Request::new("DELETE", "/api/me/logins/").bearer(&ann.access);
    assert_eq!(server.send(&others).status, 204);
    assert_eq!(verify(&server, &first).text(), INVALID);

    change_email(&server, &thief.access, "thief@example.com").json(200);
    let second = token(&sink, 2, "thief@example.com", VERIFY);
    change_email(&server, &ann.access, "ann@example.com").json(200);
    assert_eq!(verify(&server, &second).text(), INVALID);
    assert_eq!(email_of(&server, &ann.access), "ann@example.com");
}

fn requests_for_all_addresses_look_the_same(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, true);
    register(&server, "ann");
    register(&server, "eve");
    verify(&server, &token(&sink, 1, "ann@example.com", VERIFY));
    let [verified, unverified, unknown] =
        ["ann@example.com", "eve@example.com", "unknown@example.com"].map(|email| resend(&server, email));
    assert_eq!(unverified.status, 200);
    assert_eq!(
        (&verified.body, &unknown.body),
        (&unverified.body, &unverified.body)
    );
    wait_for("an empty outbox", || {
        (!installation.database().dump().contains("email_verification")).then_some(())
    });
    let to: Vec<_> = sink.mails().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["ann@example.com", "eve@example.com", "eve@example.com"]);
    assert_eq!(
        resend(&server, "no-address").json(400),
        json!({"email": ["Enter a valid email address."]})
    );
}

fn emails_of_admins_are_verified(installation: &Installation) {
    installation.create_superuser("root");
    let sink = SmtpSink::start();
    let server = start(installation, &sink, true);
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let user = json!({
        "username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "password": PASSWORD,
    });
    let created = server.send(&Request::post("/api/admin/users/", &user).bearer(&root));
    let id = created.json(201)["id"].as_i64().unwrap();
    let access = log_in(&server, "ann", PASSWORD).access;
    patch_user(&server, id, &json!({"email": "corrected@example.com"}));
    assert_eq!(email_of(&server, &access), "corrected@example.com");
    log_in(&server, "ann", PASSWORD);
    let told = &mails(&sink, 1)[0];
    assert_eq!(
        (&told.to[..], told.links().len()),
        (&["ann@example.com".to_owned()][..], 0)
    );
}

fn reset_password_verifies_the_email(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, true);
    register(&server, "ann");
    mails(&sink, 1);
    reset_password(&server, &sink);
}

/// Resets Ann's password by mail, and logs in.
fn reset_password(server: &Server, sink: &SmtpSink) -> Tokens {
    let next = sink.mails().len() + 1;
    let request = json!({"email": "ann@example.com"});
    server
        .send(&Request::post("/api/password/reset/", &request))
        .json(200);
    set_password(server, sink, next)
}

/// Sets Ann's password with the link in the mail with this number, and logs in.
fn set_password(server: &Server, sink: &SmtpSink, number: usize) -> Tokens {
    let token = token(
        sink,
        number,
        "ann@example.com",
        "/api-auth/password/reset/confirm/",
    );
    let password = "Harbour-meadow-93";
    let body = json!({"token": token, "new_password": password});
    server
        .send(&Request::post("/api/password/reset/confirm/", &body))
        .json(200);
    log_in(server, "ann", password)
}

fn pages_verify_and_undo_without_scripts(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, true);
    register(&server, "ann");
    let mut browser = Browser::new(&server);
    let fields = [("username", "ann"), ("password", PASSWORD)];
    let refused = browser.submit("/api-auth/login/", &fields);
    let resend_path = "/api-auth/email/verify/resend/";
    assert!(
        refused.status == 200 && refused.text().contains(&format!("href=\"{resend_path}\"")),
        "{}",
        refused.text()
    );
    let sent = browser.submit(resend_path, &[("email", "ann@example.com")]);
    assert!(sent.text().contains("a link is on its way"), "{}", sent.text());

    let (path, token) = link(&mails(&sink, 2)[1]);
    let page = browser.get(&format!("{path}?token={token}"));
    assert!(
        page.status == 200 && page.text().contains("Verify the address"),
        "{}",
        page.text()
    );
    server.send(&login("ann", PASSWORD)).json(401);
    assert_eq!(
        server.send(&form(&path, &[("token", &token)])).status,
        403,
        "without CSRF token"
    );
    let done = browser.submit(&path, &[("token", &token)]);
    assert!(
        done.status == 200 && done.text().contains("Email address verified"),
        "{}",
        done.text()
    );
    browser.log_in("ann", PASSWORD, "/api/");

    let access = log_in(&server, "ann", PASSWORD).access;
    change_email(&server, &access, "new@example.com").json(200);
    verify(&server, &link(&mails(&sink, 3)[2]).1).json(200);
    let (path, token) = link(&mails(&sink, 4)[3]);
    let page = browser.get(&format!("{path}?token={token}"));
    assert!(
        page.status == 200 && page.text().contains("Put the old address back"),
        "{}",
        page.text()
    );
    assert_eq!(email_of(&server, &access), "new@example.com");
    let done = browser.submit(&path, &[("token", &token)]);
    assert!(
        done.status == 200 && done.text().contains("The old email address is back"),
        "{}",
        done.text()
    );
    assert_eq!(me(&server, &access).status, 401);
    let used = browser.submit(&path, &[("token", &token)]);
    assert!(
        used.status == 400 && used.text().contains("This link is invalid"),
        "{}",
        used.text()
    );
}

fn erased_user_leaves_no_emails_or_tokens_in_the_database(installation: &Installation) {
    let sink = SmtpSink::start();
    let server = start(installation, &sink, false);
    let ann = join(&server, "ann");
    server.stop();
    let server = start(installation, &sink, true);
    change_email(&server, &ann.access, "earlier@post.example").json(200);
    verify(&server, &token(&sink, 1, "earlier@post.example", VERIFY)).json(200);
    // While the mail server refuses it, the mail stays in the outbox.
    mails(&sink, 2);
    sink.refuse(451);
    change_email(&server, &ann.access, "xanthe@post.example").json(200);
    wait_for("an attempt", || {
        let log = server.log();
        log.contains("could not be sent and is tried again").then_some(())
    });
    assert!(installation.database().dump().contains("email_verification"));
    sink.refuse(0);
    installation
        .database()
        .execute("UPDATE outbox SET due_at = created_at");
    let token = token(&sink, 3, "xanthe@post.example", VERIFY);
    let dump = installation.database().dump();
    assert!(dump.contains("xanthe@post.example"));
    for part in token.split('.').skip(1) {
        assert!(!dump.contains(part));
    }
    assert!(!server.log().contains(&token));
    installation.run(&["eraseuser", "ann", "--noinput"]).success();
    let dump = installation.database().dump();
    for address in ["ann@example.com", "earlier@post.example", "xanthe@post.example"] {
        assert!(!dump.contains(address), "{address}");
    }
}

#[test]
fn mails_are_limited_by_user_and_address() {
    let sink = SmtpSink::start();
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .with("MYCARS__THROTTLE__PASSWORD_RESET", "3/hour");
    let server = start(&installation, &sink, false);
    let [ann, eve] = ["ann", "eve"].map(|name| join(&server, name));
    server.stop();
    let server = start(&installation, &sink, true);
    let to =
        |access: &str, number: u8| change_email(&server, access, &format!("new{number}@example.com")).status;
    assert_eq!(
        [0, 1, 2, 3].map(|number| to(&ann.access, number)),
        [200, 200, 200, 429],
        "of one user"
    );
    assert_eq!(
        [0, 0, 0].map(|number| to(&eve.access, number)),
        [200, 200, 429],
        "to one address"
    );
    let unchanged = change_email(&server, &ann.access, "ann@example.com");
    assert_eq!(unchanged.status, 200, "it sends no mail");
    let from = |address: u8, email: &str| {
        let request = Request::post("/api/email/verify/resend/", &json!({"email": email}));
        let request = request.header("X-Forwarded-For", &format!("192.0.2.{address}"));
        server.send(&request).status
    };
    assert_eq!(
        [1, 2, 3, 4].map(|address| from(address, "Ann@example.com")),
        [200, 200, 200, 429]
    );
    let of_one_address = [1, 2, 3, 4].map(|user| from(9, &format!("user{user}@example.com")));
    assert_eq!(of_one_address, [200, 200, 200, 429]);
}

#[test]
fn verified_emails_without_mail_are_refused_at_the_start() {
    let installation = Installation::on(TestDatabase::sqlite());
    let refusal = installation
        .run_with(&["migrate"], "MYCARS__ACCOUNTS__REQUIRE_VERIFIED_EMAIL", "true")
        .refusal();
    assert!(
        refusal.contains("but mail is turned off: set MYCARS__MAIL__URL"),
        "{refusal}"
    );
    let server = installation.start();
    assert_eq!(resend(&server, "ann@example.com").status, 403);
    assert_eq!(
        server
            .send(&Request::get("/api-auth/email/verify/resend/"))
            .status,
        403
    );
    register(&server, "ann");
    log_in(&server, "ann", PASSWORD);
}
