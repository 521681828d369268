//! Quotas of users, the floor of free disk space, retention of the audit log, and the jobs of the server.

use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{
        PASSWORD, SUPERUSER_PASSWORD, Tokens, join, log_in, login, me, new_car, new_client, plates,
        registration,
    },
    at_once,
    browser::Browser,
    http::TINY_JPEG,
    on_both_databases,
    panel::Panel,
    wait_for,
};

on_both_databases!(
    concurrent_creates_stop_at_the_quota,
    pictures_over_the_quota_are_refused,
    little_free_space_refuses_additions_alone,
    pruneaudit_deletes_old_entries_alone,
    jobs_clean_up_while_the_server_runs,
);

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

fn too_many(max: u64) -> Value {
    let message = format!(
        "This user may have at most {max} cars. Delete some, or ask an administrator for a higher limit."
    );
    json!({"non_field_errors": [message]})
}

fn concurrent_creates_stop_at_the_quota(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start_with("MYCARS__QUOTAS__CARS_PER_USER", "7");
    let (Tokens { access, .. }, id) = new_client(&server, "ann");
    let create = |number: usize| server.send(&new_car(&access, &format!("B-AB {number}")));
    let answers = at_once(20, create);
    assert_eq!((count(&answers, 201), count(&answers, 400)), (7, 13));
    let refused = answers.iter().find(|answer| answer.status == 400).unwrap();
    assert_eq!(refused.json(400), too_many(7));
    assert_eq!(plates(&server, &access).len(), 7);
    let page = Panel::of_root(&server).page(&format!("/admin/users/{id}/"));
    assert!(page.contains("7 of 7"), "{page}");
    // Another user has a quota of their own.
    let other = join(&server, "eve").access;
    server.send(&new_car(&other, "B-EV 1")).json(201);
}

fn upload(server: &Server, access: &str, car: &Value) -> Answer {
    let path = format!("/api/cars/{}/upload-image/", car["id"]);
    server.send(&Request::upload(&path, TINY_JPEG).bearer(access))
}

fn pictures_over_the_quota_are_refused(installation: &Installation) {
    let first = installation.start();
    let access = join(&first, "ann").access;
    let cars = ["B-AB 1", "B-AB 2"].map(|plate| first.send(&new_car(&access, plate)).json(201));
    let stored = upload(&first, &access, &cars[0]).json(200);
    let path = stored["image"].as_str().unwrap().to_owned();
    let size = first.send(&Request::get(&path)).body.len();
    first.stop();

    // There is room for this picture again, but not for a second one.
    let max = (size + 10).to_string();
    let server = installation.start_with("MYCARS__QUOTAS__PICTURE_BYTES_PER_USER", &max);
    upload(&server, &access, &cars[0]).json(200);
    let refused = upload(&server, &access, &cars[1]).json(400);
    let message = refused["image"][0].as_str().unwrap();
    assert!(
        message.starts_with("The images of this user may take at most"),
        "{message}"
    );
    let remove = format!("/api/cars/{}/upload-image/", cars[0]["id"]);
    assert_eq!(
        server
            .send(&Request::new("DELETE", &remove).bearer(&access))
            .status,
        204
    );
    upload(&server, &access, &cars[1]).json(200);
}

fn little_free_space_refuses_additions_alone(installation: &Installation) {
    installation.create_superuser("root");
    let first = installation.start();
    let ann = join(&first, "ann");
    let car = first.send(&new_car(&ann.access, "B-AB 1")).json(201);
    first.stop();

    let server = installation.start_with("MYCARS__STORAGE__MIN_FREE_BYTES", &i64::MAX.to_string());
    let path = format!("/api/cars/{}/", car["id"]);
    let detail = json!({"detail": "The service cannot save changes right now. Please try again later."});
    for request in [
        new_car(&ann.access, "B-AB 2"),
        Request::new("PATCH", &path)
            .json(&json!({"mileage": 1}))
            .bearer(&ann.access),
        Request::upload(&format!("{path}upload-image/"), TINY_JPEG).bearer(&ann.access),
        Request::new("PATCH", "/api/me/")
            .json(&json!({"phone": "1"}))
            .bearer(&ann.access),
        registration("eve", "eve@example.com"),
        Request::get("/health/ready"),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.json(503), detail, "{} {}", request.method, request.path);
        assert_eq!(answer.header("Retry-After").as_deref(), Some("2"));
    }
    server
        .send(&Request::get("/api/cars/").bearer(&ann.access))
        .json(200);
    server.send(&login("ann", PASSWORD)).json(200);
    let mut browser = Browser::new(&server);
    assert_eq!(browser.log_in("root", SUPERUSER_PASSWORD, "/admin/").status, 302);
    assert!(browser.get("/admin/").text().contains("nothing can be added"));
    assert_eq!(
        server
            .send(&Request::new("DELETE", &path).bearer(&ann.access))
            .status,
        204
    );
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let id = me(&server, &ann.access).json(200)["id"].clone();
    let user = format!("/api/admin/users/{id}/");
    let deactivate = Request::new("PATCH", &user).json(&json!({"is_active": false}));
    server.send(&deactivate.bearer(&root)).json(200);
    assert_eq!(
        server.send(&Request::new("DELETE", &user).bearer(&root)).status,
        204
    );
    assert!(server.log().contains("storage.min_free_bytes"));
}

/// Inserts an entry of 2001 before all others.
fn insert_old_entry(installation: &Installation) {
    installation.database().execute(
        "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, changes,
             search_key)
         VALUES ('2001-02-03 04:05:06+00:00', 'created', 'car', '7', 'Golf', 'ann', 'api', '[]', '')",
    );
}

/// The newest entries of the audit log as the superuser reads them.
fn history(server: &Server) -> Vec<Value> {
    let root = log_in(server, "root", SUPERUSER_PASSWORD).access;
    let envelope = server
        .send(&Request::get("/api/admin/history/").bearer(&root))
        .json(200);
    envelope["results"].as_array().unwrap().clone()
}

fn assert_pruned(entries: &[Value]) {
    let about_log: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["object_type"] == "audit_log")
        .collect();
    let [pruned] = about_log[..] else {
        panic!("one entry is about the log: {entries:?}")
    };
    assert_eq!(pruned["action"], "deleted");
    assert_eq!(pruned["actor_name"], "system");
    assert!(
        pruned["object"]
            .as_str()
            .unwrap()
            .starts_with("entries before 20"),
        "{pruned}"
    );
    assert_eq!(
        pruned["changes"],
        json!([{"field": "entries", "before": 1, "after": null}])
    );
    assert!(
        entries.iter().all(|entry| entry["object"] != "Golf"),
        "{entries:?}"
    );
}

fn pruneaudit_deletes_old_entries_alone(installation: &Installation) {
    insert_old_entry(installation);
    installation.create_superuser("root");
    let refusal = installation.run(&["pruneaudit"]).refusal();
    assert!(refusal.contains("MYCARS__AUDIT__KEEP_DAYS"), "{refusal}");
    for deleted in [1, 0] {
        let printed = installation.run_with(&["pruneaudit"], "MYCARS__AUDIT__KEEP_DAYS", "365");
        assert_eq!(
            printed.success(),
            format!("Deleted {deleted} entries of the audit log that were older than 365 days.\n")
        );
    }
    let entries = history(&installation.start());
    assert_eq!(entries.len(), 2, "root and the deletion: {entries:?}");
    assert_pruned(&entries);
}

/// The value of a sample in the metrics.
fn metric(server: &Server, sample: &str) -> Option<f64> {
    let text = server.send(&Request::get("/metrics")).text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned))?;
    line.parse().ok()
}

fn jobs_clean_up_while_the_server_runs(installation: &Installation) {
    insert_old_entry(installation);
    installation.create_superuser("root");
    let first = installation.start();
    join(&first, "ann");
    first.stop();
    installation
        .database()
        .execute("UPDATE refresh_tokens SET expires_at = '2001-02-03 04:05:06+00:00'");

    let variables = [
        ("MYCARS__JOBS__EVERY_SECONDS", "1"),
        ("MYCARS__AUDIT__KEEP_DAYS", "365"),
    ];
    let server = installation.start_with_all(&variables);
    let log = wait_for("the jobs to run", || {
        let log = server.log();
        let is_done = |job: &str| log.contains(&format!("job {job} processed 1 items"));
        (is_done("flush_expired_tokens") && is_done("prune_audit")).then_some(log)
    });
    assert!(!log.contains("failed"), "{log}");
    let success = wait_for("the metrics", || {
        metric(
            &server,
            "mycars_job_last_success_timestamp_seconds{job=\"prune_audit\"}",
        )
    });
    assert!(success > 1.7e9, "{success} is no Unix time");
    assert_pruned(&history(&server));

    // A failure is counted, and the server serves on.
    installation
        .database()
        .execute("ALTER TABLE sessions RENAME TO hidden");
    wait_for("a job to fail", || {
        let failures = metric(&server, "mycars_job_failures_total{job=\"clear_sessions\"}")?;
        (failures > 0.0).then_some(())
    });
    installation
        .database()
        .execute("ALTER TABLE hidden RENAME TO sessions");
    history(&server);
    server.stop();
}
