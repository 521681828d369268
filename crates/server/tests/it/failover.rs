//! Failover of PostgreSQL: the primary is killed under load, and its streaming standby is promoted.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use mycars_testkit::{PostgresServer, Shutdown};

use crate::support::{
    Installation, Server,
    accounts::{join, new_car, plates},
    wait_for,
};

const CLIENTS: usize = 4;

/// The responses of a phase.
#[derive(Default)]
struct Load {
    /// Plates whose creation was answered with 201.
    created: Mutex<BTreeSet<String>>,
    unavailable: AtomicUsize,
    /// Responses with other statuses.
    faults: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Load {
    /// Creates cars until the load is over.
    fn run(&self, server: &Server, access: &str, client: usize) {
        for number in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let plate = format!("C{client}-{number}");
            match server.send(&new_car(access, &plate)) {
                answer if answer.status == 201 => {
                    self.created().insert(plate);
                }
                answer if answer.status == 503 => {
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                }
                answer => {
                    let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
                    faults.push(format!("{plate}: {answer:?}"));
                }
            }
        }
    }

    fn created(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this number of further cars is created.
    fn wait_for_creations(&self, number: usize) {
        let before = self.created().len();
        wait_for("cars", || (self.created().len() >= before + number).then_some(()));
    }
}

/// Ends the load on drop, also after a failed assertion.
struct End<'l>(&'l Load);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

#[test]
fn promoted_standby_continues_without_lost_writes() {
    let primary = PostgresServer::start_primary();
    let standby = primary.start_synchronous_standby();
    let url = primary.url_with(&standby, "target_session_attrs=read-write");
    let installation = Installation::at(&url).with("MYCARS__DATABASE__TIMEOUT_SECONDS", "1");
    let server = installation.start();
    let ann = join(&server, "ann");
    let load = Load::default();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (load, server, access) = (&load, &server, &ann.access);
            scope.spawn(move || load.run(server, access, client));
        }
        let _end = End(&load);
        load.wait_for_creations(100);
        primary.stop(Shutdown::Immediate);
        wait_for("a response without a primary", || {
            (load.unavailable.load(Ordering::SeqCst) >= CLIENTS).then_some(())
        });
        standby.promote();
        load.wait_for_creations(100);
    });
    let faults = load.faults.lock().unwrap();
    assert!(faults.is_empty(), "{} faults: {:?}", faults.len(), faults.first());
    let kept = plates(&server, &ann.access);
    let lost: Vec<_> = load
        .created()
        .iter()
        .filter(|plate| !kept.contains(*plate))
        .cloned()
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    let log = server.stop().stderr;
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
