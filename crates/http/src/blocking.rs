//! Where blocking work runs. Everything that waits for the database or takes time goes through here, and
//! everything here is bounded: work that would have to wait too long is refused at once. Only files are read
//! and written elsewhere, in small pieces: pictures that are served, by actix itself, and uploads that are put
//! aside while they arrive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio::sync::{Semaphore, oneshot};
use tracing::Span;

/// Where a piece of work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// On the threads that talk to the database: work of milliseconds.
    Database,
    /// On the one thread that hashes passwords, which takes a quarter of a second each time. On the database's
    /// lane a few logins at once would keep everybody else waiting.
    Passwords,
    /// On the one thread that decodes pictures, which takes time and memory: one at a time bounds both.
    Images,
}

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockingError {
    /// Too much is waiting already.
    #[error("too many requests are waiting")]
    Busy,
    /// The work panicked; the panic's own message is in the log already.
    #[error("the work panicked")]
    Panicked,
}

/// The lanes.
#[derive(Clone)]
pub(crate) struct Blocking {
    waiting: Arc<Semaphore>,
    passwords: SyncSender<Job>,
    images: SyncSender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// How many pieces of work may be on the database's lane, running or waiting.
const MAX_WAITING: usize = 512;

/// How many uploads may wait for the thread that decodes pictures.
const MAX_WAITING_IMAGES: usize = 64;

impl Blocking {
    /// Starts the threads that hash passwords and decode pictures. At most `max_passwords` pieces of work may
    /// wait for the former.
    pub(crate) fn start(max_passwords: usize) -> std::io::Result<Self> {
        Ok(Self {
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            passwords: start_thread("passwords", max_passwords)?,
            images: start_thread("images", MAX_WAITING_IMAGES)?,
        })
    }

    /// Does `work` on a lane, inside the present span, and answers its result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let span = Span::current();
        let work = move || span.in_scope(work);
        match lane {
            Lane::Database => self.run_on_database_lane(work).await,
            Lane::Passwords => run_on_thread(&self.passwords, work).await,
            Lane::Images => run_on_thread(&self.images, work).await,
        }
    }

    async fn run_on_database_lane<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let permit = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| BlockingError::Busy)?;
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let result = actix_web::web::block(move || {
            // The permit moves along: work goes on when the client hangs up, and counts until it is done.
            let _permit = permit;
            work()
        });
        result.await.map_err(|_| BlockingError::Panicked)
    }
}

/// Does `work` on a thread of its own kind.
async fn run_on_thread<T: Send + 'static>(
    thread: &SyncSender<Job>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let (reply, answer) = oneshot::channel();
    let job = Box::new(move || {
        // Nobody waits any more for work whose client hung up before its turn came.
        if !reply.is_closed() {
            drop(reply.send(work()));
        }
    });
    thread.try_send(job).map_err(|_| BlockingError::Busy)?;
    answer.await.map_err(|_| BlockingError::Panicked)
}

/// Starts a thread for slow work, before which at most `max_queue` pieces may wait.
fn start_thread(name: &str, max_queue: usize) -> std::io::Result<SyncSender<Job>> {
    let (sender, jobs) = sync_channel(max_queue);
    thread::Builder::new()
        .name(name.into())
        .spawn(move || work_off(&jobs))?;
    Ok(sender)
}

/// Does one piece of work after the other until the server is gone. A panic ends the piece, not the thread.
fn work_off(jobs: &Receiver<Job>) {
    yield_to_others();
    for job in jobs {
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("work on a thread for slow work panicked");
        }
    }
}

/// Low enough that slow work gets a tenth of what a thread that serves requests gets, and high enough that
/// logins don't wait for ever on a machine that is busy with something else.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets every other thread go first: slow work can wait, other requests can't. On Linux the nice value is the calling
/// thread's own; elsewhere it would be the whole program's, and is left alone.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "a thread for slow work keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[actix_web::test]
    async fn every_lane_answers_what_the_work_answers() {
        let blocking = Blocking::start(1).unwrap();
        assert_eq!(blocking.run(Lane::Database, || 1).await.unwrap(), 1);
        assert_eq!(blocking.run(Lane::Passwords, || 2).await.unwrap(), 2);
        assert_eq!(blocking.run(Lane::Images, || 3).await.unwrap(), 3);
    }

    #[actix_web::test]
    async fn a_panic_ends_the_work_and_not_the_lane() {
        let blocking = Blocking::start(1).unwrap();
        for lane in [Lane::Database, Lane::Passwords, Lane::Images] {
            let panicked = blocking.run(lane, || -> u8 { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(BlockingError::Panicked)), "{lane:?}");
            assert_eq!(blocking.run(lane, || 1).await.unwrap(), 1, "{lane:?}");
        }
    }

    #[actix_web::test]
    async fn a_full_password_queue_refuses_at_once_while_the_database_lane_goes_on() {
        let blocking = Blocking::start(1).unwrap();
        let (started, is_started) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        let first = actix_web::rt::spawn({
            let blocking = blocking.clone();
            async move {
                blocking
                    .run(Lane::Passwords, move || {
                        started.send(()).unwrap();
                        held.recv().unwrap();
                    })
                    .await
            }
        });
        blocking
            .run(Lane::Database, move || is_started.recv().unwrap())
            .await
            .unwrap();

        let second = blocking.run(Lane::Passwords, || "waited");
        let mut second = std::pin::pin!(second);
        assert!(
            futures_util::poll!(second.as_mut()).is_pending(),
            "it waits in the queue"
        );
        let third = blocking.run(Lane::Passwords, || "never").await;
        assert!(matches!(third, Err(BlockingError::Busy)));
        assert_eq!(blocking.run(Lane::Database, || 1).await.unwrap(), 1);

        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), "waited");
    }

    #[actix_web::test]
    async fn work_whose_client_hung_up_before_its_turn_is_not_done() {
        let blocking = Blocking::start(2).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel::<&str>();
        let first = blocking.run(Lane::Passwords, move || held.recv().unwrap());
        let mut first = std::pin::pin!(first);
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        {
            let abandoned = done.clone();
            let hung_up = blocking.run(Lane::Passwords, move || abandoned.send("abandoned").unwrap());
            let mut hung_up = std::pin::pin!(hung_up);
            assert!(futures_util::poll!(hung_up.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        first.await.unwrap();
        blocking
            .run(Lane::Passwords, move || done.send("last").unwrap())
            .await
            .unwrap();
        assert_eq!(is_done.try_iter().collect::<Vec<_>>(), ["last"]);
    }
}
