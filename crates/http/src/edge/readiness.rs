//! The check whether the server is ready. It has a thread of its own, and worker pools leave a connection for it, so
//! that it never waits for the work of requests.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use mycars_application::ports::Store;
use tokio::sync::oneshot;

use crate::{error::ApiError, request::pools::PoolError};

/// How long a result is used again, so that many requests cost no more than one.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(1);

/// Maximum number of requests that wait for a check. They get its result together.
const MAX_WAITING: usize = 64;

type Outcome = Result<(), Arc<ApiError>>;

/// Sends requests to the thread that checks.
pub(crate) struct Readiness(Sender<oneshot::Sender<Outcome>>);

impl Readiness {
    /// Starts the thread. It asks the store if its last result is older than `max_age`.
    pub(crate) fn start(store: Arc<dyn Store>, max_age: Duration) -> io::Result<Self> {
        let (sender, requests) = bounded(MAX_WAITING);
        thread::Builder::new()
            .name("readiness".into())
            .spawn(move || answer(&*store, max_age, &requests))?;
        Ok(Self(sender))
    }

    /// Returns an error if the store does not respond or is not writable.
    pub(crate) async fn check(&self) -> Outcome {
        let (reply, answer) = oneshot::channel();
        self.0
            .try_send(reply)
            .map_err(|_| ApiError::from(PoolError::Busy))?;
        answer.await.map_err(|_| ApiError::from(PoolError::Panicked))?
    }
}

/// Answers requests until the server is gone. A client that hung up meanwhile causes no check.
fn answer(store: &dyn Store, max_age: Duration, requests: &Receiver<oneshot::Sender<Outcome>>) {
    let mut last: Option<(Instant, Outcome)> = None;
    for reply in requests.iter().filter(|reply| !reply.is_closed()) {
        let fresh = last.take().filter(|(at, _)| at.elapsed() < max_age);
        let (_, outcome) = last.insert(fresh.unwrap_or_else(|| {
            let outcome = store.ping().map_err(|error| Arc::new(error.into()));
            (Instant::now(), outcome)
        }));
        // The client may have hung up during the check.
        drop(reply.send(outcome.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mycars_application::ports::{Mode, Rollback, StoreError, UnitOfWork};

    use super::*;

    /// A store that counts its pings. The first one fails.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Store for Counting {
        fn run(
            &self,
            _: Mode,
            _: &mut dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback>,
        ) -> Result<(), StoreError> {
            unreachable!("a check only pings")
        }

        fn ping(&self) -> Result<(), StoreError> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Err(StoreError::Unavailable("away".into())),
                _ => Ok(()),
            }
        }
    }

    #[actix_web::test]
    async fn checks_within_the_age_are_one_ping() {
        let store = Arc::new(Counting::default());
        let readiness = Readiness::start(store.clone(), Duration::MAX).unwrap();
        for _ in 0..100 {
            let error = readiness.check().await.unwrap_err();
            assert!(matches!(*error, ApiError::Unavailable(_)), "{error:?}");
        }
        assert_eq!(store.0.load(Ordering::SeqCst), 1);
    }

    #[actix_web::test]
    async fn check_after_the_age_pings_again() {
        let store = Arc::new(Counting::default());
        let readiness = Readiness::start(store.clone(), Duration::ZERO).unwrap();
        readiness.check().await.unwrap_err();
        for _ in 0..2 {
            readiness.check().await.unwrap();
        }
        assert_eq!(store.0.load(Ordering::SeqCst), 3);
    }
}
