//! Recurring jobs of several servers with one database.

use std::{thread, time::Duration};

use mycars_testkit::TestDatabase;

use crate::support::{Installation, Request, Server, wait_for};

/// Records each change of a lease. Stopped and killed servers can't change what is recorded.
const RECORD: &str = "
    CREATE TABLE lease_log (
        id BIGINT GENERATED ALWAYS AS IDENTITY, name TEXT, holder TEXT, kind TEXT,
        at TIMESTAMPTZ DEFAULT clock_timestamp(), held_until TIMESTAMPTZ, due_at TIMESTAMPTZ
    );
    CREATE TABLE unlock (at TIMESTAMPTZ);
    CREATE FUNCTION log_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO lease_log (name, holder, held_until, due_at, kind) SELECT
            NEW.name, NEW.holder, NEW.held_until, NEW.due_at,
            CASE
                WHEN NEW.due_at <> OLD.due_at THEN 'released'
                WHEN NEW.held_until <= clock_timestamp() THEN 'abandoned'
                WHEN NEW.holder = OLD.holder AND OLD.held_until > clock_timestamp() THEN 'renewed'
                ELSE 'taken'
            END;
        RETURN NULL;
    END $$;
    CREATE TRIGGER log_lease AFTER UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION log_lease()";

/// The job that the tests stop by a lock on its table.
const JOB: &str = "clear_sessions";

/// Keeps the table of the job locked until there is a row in `unlock`, at most a minute.
const BLOCK: &str = "DO $$ BEGIN
    LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE;
    FOR step IN 1..6000 LOOP
        EXIT WHEN EXISTS (SELECT FROM unlock);
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$";

fn installation(lease_seconds: &str) -> Installation {
    let database = TestDatabase::postgres();
    database.execute(RECORD);
    Installation::on(database)
        .with("MYCARS__JOBS__EVERY_SECONDS", "1")
        .with("MYCARS__JOBS__LEASE_SECONDS", lease_seconds)
}

/// Returns the lag of a job in the metrics, in seconds; `None` if there is none yet.
fn lag(server: &Server, job: &str) -> Option<u64> {
    let metrics = server.send(&Request::get("/metrics")).text();
    let line = format!("mycars_job_lag_seconds{{job=\"{job}\"}} ");
    metrics
        .lines()
        .find_map(|found| found.strip_prefix(&line)?.parse().ok())
}

#[test]
fn lag_in_metrics_grows_while_a_job_is_stopped() {
    let installation = installation("60");
    let database = installation.database();
    let server = installation.start();
    thread::scope(|scope| {
        scope.spawn(|| database.execute(BLOCK));
        wait_for("a job that is late", || {
            lag(&server, JOB).filter(|seconds| *seconds >= 3)
        });
        database.execute("INSERT INTO unlock VALUES (now())");
    });
    wait_for("the job", || lag(&server, JOB).filter(|seconds| *seconds < 2));
}

fn start_three(installation: &Installation) -> Vec<Server> {
    (0..3).map(|_| installation.start()).collect()
}

/// SQL condition: a session of a server waits for the lock of [`BLOCK`].
const IS_BLOCKED: &str = "EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
)";

/// Waits until a server is stopped inside the job, and returns the others and that one.
fn wait_for_holder(database: &TestDatabase, servers: Vec<Server>) -> (Vec<Server>, Server) {
    database.wait_until(IS_BLOCKED);
    let leases = database.store().read(|unit| unit.leases().list()).unwrap();
    let lease = leases.into_iter().find(|lease| lease.name == JOB).unwrap();
    let is_holder = |server: &Server| lease.holder.starts_with(&format!("{}-", server.pid()));
    let (mut holders, others): (Vec<_>, Vec<_>) = servers.into_iter().partition(is_holder);
    (others, holders.pop().expect("one of the servers holds it"))
}

/// Returns the SQL condition that this number of records of the job exists.
fn has_records(kind: &str, number: usize) -> String {
    format!("(SELECT count(*) FROM lease_log WHERE name = '{JOB}' AND kind = '{kind}') >= {number}")
}

#[test]
fn job_of_three_servers_runs_once_at_each_interval() {
    let installation = installation("60");
    let database = installation.database();
    let servers = start_three(&installation);
    database.wait_until(&has_records("released", 5));
    drop(servers);
    database.assert_none(
        "SELECT * FROM (
            SELECT *, lag(kind) OVER runs AS previous, lag(due_at) OVER runs AS due_before
            FROM lease_log WHERE kind <> 'renewed' WINDOW runs AS (PARTITION BY name ORDER BY id)
        ) AS record
        WHERE kind NOT IN ('taken', 'released')
            OR kind = previous
            OR kind = 'taken' AND at < due_before",
    );
}

#[test]
fn job_of_killed_server_is_repeated_by_another_after_its_lease() {
    let installation = installation("2");
    let database = installation.database();
    let killed = thread::scope(|scope| {
        scope.spawn(|| database.execute(BLOCK));
        let (others, holder) = wait_for_holder(database, start_three(&installation));
        database.wait_until(&has_records("renewed", 2));
        let killed = format!("holder LIKE '{}-%'", holder.pid());
        holder.kill();
        let of_others = format!("name = '{JOB}' AND NOT {killed} AND id > ({})", last_of(&killed));
        database.wait_until(&format!(
            "EXISTS (SELECT FROM lease_log WHERE {of_others} AND kind = 'taken')"
        ));
        database.execute("INSERT INTO unlock VALUES (now())");
        database.wait_until(&format!(
            "EXISTS (SELECT FROM lease_log WHERE {of_others} AND kind = 'released')"
        ));
        drop(others);
        killed
    });
    // The next run began after the lease of the killed server, and for the same time at which the job was due.
    database.assert_none(&format!(
        "SELECT next.* FROM lease_log AS last, lease_log AS next
        WHERE last.id = ({last}) AND next.id = (
                SELECT min(id) FROM lease_log WHERE name = '{JOB}' AND id > last.id
            ) AND (next.kind <> 'taken' OR next.at < last.held_until OR next.due_at <> last.due_at)",
        last = last_of(&killed)
    ));
}

/// Returns the SQL query for the id of the last record of the job that meets a condition.
fn last_of(condition: &str) -> String {
    format!("SELECT max(id) FROM lease_log WHERE name = '{JOB}' AND {condition}")
}

#[test]
fn job_of_stopped_server_is_continued_by_another_at_once() {
    let installation = installation("3600");
    let database = installation.database();
    thread::scope(|scope| {
        scope.spawn(|| database.execute(BLOCK));
        let (others, holder) = wait_for_holder(database, start_three(&installation));
        assert_eq!(holder.stop().code, Some(0));
        database.execute("INSERT INTO unlock VALUES (now())");
        database.wait_until(&has_records("released", 1));
        drop(others);
    });
    database.wait_until(&has_records("abandoned", 1));
}

#[test]
fn jobs_run_once_at_each_interval_on_sqlite() {
    let installation = Installation::on(TestDatabase::sqlite()).with("MYCARS__JOBS__EVERY_SECONDS", "1");
    let store = installation.database().store();
    let server = installation.start();
    let due_in = || {
        let leases = store.read(|unit| unit.leases().list()).unwrap();
        leases
            .into_iter()
            .find(|lease| lease.name == JOB && !lease.holder.is_empty())
    };
    let lease = wait_for("the first run", due_in);
    assert!(
        lease.holder.starts_with(&format!("{}-", server.pid())),
        "{lease:?}"
    );
    assert!(
        lease.due_in <= chrono::TimeDelta::from_std(Duration::from_secs(1)).unwrap(),
        "{lease:?}"
    );
}
