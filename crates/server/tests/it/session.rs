//! Browser logins of users whose rows another program wrote. The other tests of sessions are those of the crate `http`.

use serde_json::json;

use crate::support::{
    Installation, Request,
    accounts::{PASSWORD, join, me},
    browser::Browser,
    on_sqlite,
};

on_sqlite!(unsupported_password_hash_is_logged_without_hash);

fn unsupported_password_hash_is_logged_without_hash(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let id = me(&server, &access).json(200)["id"].clone();
    let hash = "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$c2VjcmV0";
    let change = format!("UPDATE users SET password = '{hash}'");
    installation.database().execute(&change);

    let credentials = json!({"username": "ann", "password": PASSWORD});
    let refused = server.send(&Request::post("/api/token/", &credentials));
    assert_eq!(
        refused.json(401),
        json!({"detail": "No active account found with the given credentials"})
    );
    let page = Browser::new(&server).log_in("ann", PASSWORD, "/api/");
    assert!(
        page.text()
            .contains("Please enter a correct username and password.")
    );

    let log = server.stop().stderr;
    let warning = format!("the password hash of user {id} cannot be verified (algorithm argon2)");
    assert_eq!(log.matches(&warning).count(), 2, "{log}");
    assert!(!log.contains("argon2id") && !log.contains("c2VjcmV0"), "{log}");
}
