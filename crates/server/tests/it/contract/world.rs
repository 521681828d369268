//! The shared state of all cases of a run.

use std::sync::atomic::{AtomicU64, Ordering};

use mycars_application::ports::Clock as _;
use mycars_security::SystemClock;

use super::{
    Outcome, case,
    json::{Json, Object},
};
use crate::support::{
    Client, Request, Server, accounts,
    document::Document,
    installation::{SECRET_KEY, SUPERUSER_PASSWORD},
};

/// The administrator's name in cases.
pub(super) const ADMIN: &str = "admin";

/// A running server, its administrator, and a source of unused words.
pub(super) struct World<'s> {
    pub(super) client: &'s Client,
    pub(super) secret_key: &'static str,
    pub(super) shapes: Object,
    pub(super) admin: Object,
    pub(super) year: i64,
    /// The OpenAPI document of the server.
    pub(super) document: Document,
    words: AtomicU64,
}

impl<'s> World<'s> {
    pub(super) fn of(server: &'s Server) -> Self {
        Self {
            client: server.client(),
            secret_key: SECRET_KEY,
            shapes: case::shapes(),
            admin: admin(server),
            year: i64::from(chrono::Datelike::year(&SystemClock.now())),
            document: Document::of(server.client()),
            words: AtomicU64::new(0),
        }
    }

    /// Returns the time in seconds since 1970.
    pub(super) fn now() -> i64 {
        SystemClock.now().timestamp()
    }

    /// Returns the start of absolute URLs.
    pub(super) fn base(&self) -> String {
        format!("http://{}", self.client.address())
    }

    /// Returns an unused word of letters and digits. Consecutive words differ much, because a password may
    /// not be similar to a username.
    pub(super) fn word(&self, length: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rest = scatter(self.words.fetch_add(1, Ordering::Relaxed));
        let mut word = String::new();
        while word.len() < length {
            let digit = usize::try_from(rest % 36).expect("it is small");
            word.push(char::from(LETTERS[digit]));
            rest /= 36;
        }
        word
    }

    /// Sends a request that a case depends on, and returns the object in the response.
    pub(super) fn call(&self, request: &Request) -> Outcome<Object> {
        let answer = self.client.send(request)?;
        let (method, path) = (&request.method, &request.path);
        if !matches!(answer.status, 200 | 201) {
            return Err(format!(
                "{method} {path} answered {} {}",
                answer.status,
                answer.text()
            ));
        }
        serde_json::from_slice(&answer.body).map_err(|_| format!("{method} {path} answered no JSON object"))
    }
}

/// Returns a unique number that differs much from that of its neighbours (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn admin(server: &Server) -> Object {
    let tokens = accounts::log_in(server, ADMIN, SUPERUSER_PASSWORD);
    let id = accounts::me(server, &tokens.access).json(200)["id"]
        .as_i64()
        .expect("an id is a number");
    let mut admin = Object::default();
    admin.set("id", Json::from(id));
    admin.set("username", ADMIN);
    admin.set("email", format!("{ADMIN}@example.com"));
    admin.set("password", SUPERUSER_PASSWORD);
    admin.set("access", tokens.access);
    admin.set("refresh", tokens.refresh);
    admin
}
