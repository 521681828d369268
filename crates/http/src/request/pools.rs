//! Where pools work runs. Everything that waits for the database or takes time goes through here, and
//! everything here is bounded: work that would have to wait too long is refused at once. Only files are read
//! and written elsewhere, in small pieces: pictures that are served, by actix itself, and uploads that are put
//! aside while they arrive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::oneshot;
use tracing::Span;

/// Where a piece of work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// On the threads that talk to the database: work of milliseconds.
    Database,
    /// On the one thread that hashes passwords, which takes a quarter of a second each time. On the database's
    /// pool, a few logins at once would keep all other requests waiting.
    Passwords,
    /// On the one thread that decodes pictures, which takes time and memory: one at a time bounds both.
    Images,
}

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// Too much is waiting already.
    #[error("too many requests are waiting")]
    Busy,
    /// The work panicked; what it said is on standard error already.
    #[error("the work panicked")]
    Panicked,
}

/// The worker pools.
#[derive(Clone)]
pub(crate) struct WorkerPools {
    database: Sender<Job>,
    passwords: Sender<Job>,
    images: Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// How many requests may wait for a thread that talks to the database.
const MAX_WAITING: usize = 512;

/// How many uploads may wait for the thread that decodes pictures.
const MAX_WAITING_IMAGES: usize = 64;

impl WorkerPools {
    /// Starts the threads, one for each of so many connections to the database: one hashes passwords, one decodes
    /// pictures, and all others, or else one, do the rest. At most `max_passwords` pieces of work may wait for the one
    /// that hashes.
    ///
    /// So no thread waits for a connection, if there are at least three. A slow one would wait for long: others, who go
    /// first, would take it away again and again.
    pub(crate) fn start(connections: usize, max_passwords: usize) -> std::io::Result<Self> {
        let (database, jobs) = bounded(MAX_WAITING);
        for _ in 0..connections.saturating_sub(2).max(1) {
            start_thread("database", jobs.clone(), run_jobs)?;
        }
        let slow = |name, max_waiting| {
            let (sender, jobs) = bounded(max_waiting);
            start_thread(name, jobs, run_slow_jobs).map(|()| sender)
        };
        Ok(Self {
            database,
            passwords: slow("passwords", max_passwords)?,
            images: slow("images", MAX_WAITING_IMAGES)?,
        })
    }

    /// How many pieces of work wait for a thread, by the name of the pool.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        [
            ("database", self.database.len()),
            ("passwords", self.passwords.len()),
            ("images", self.images.len()),
        ]
    }

    /// Runs `work` on a pool, inside the present span, and returns its result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        pool: Pool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let span = Span::current();
        let queue = match pool {
            Pool::Database => &self.database,
            Pool::Passwords => &self.passwords,
            Pool::Images => &self.images,
        };
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            // The connection closed before the job's turn came: no client waits for the result.
            if reply.is_closed() {
                span.in_scope(|| tracing::debug!("skipped the work of a closed connection"));
                return;
            }
            // A panic ends the work, not the thread.
            span.in_scope(|| {
                if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
                    drop(reply.send(result));
                } else {
                    tracing::error!("the work of a request panicked");
                }
            });
        });
        queue.try_send(job).map_err(|_| PoolError::Busy)?;
        answer.await.map_err(|_| PoolError::Panicked)
    }
}

/// Starts a thread that works jobs off.
fn start_thread(name: &str, jobs: Receiver<Job>, run_jobs: fn(Receiver<Job>)) -> std::io::Result<()> {
    thread::Builder::new()
        .name(name.into())
        .spawn(move || run_jobs(jobs))?;
    Ok(())
}

/// Does one piece of work after the other until the server is gone.
fn run_jobs(jobs: Receiver<Job>) {
    for job in jobs {
        job();
    }
}

/// The same, where work takes so long that all other threads are to go first.
fn run_slow_jobs(jobs: Receiver<Job>) {
    lower_priority();
    run_jobs(jobs);
}

/// Low enough that slow work gets a tenth of what a thread that serves requests gets, and high enough that
/// logins don't wait for ever on a machine that is busy with something else.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets every other thread go first: slow work can wait, other requests can't. On Linux the nice value is the calling
/// thread's own; elsewhere it would be the whole program's, and is left alone.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "a thread for slow work keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{Arc, Barrier, mpsc},
    };

    use super::*;

    #[actix_web::test]
    async fn every_lane_answers_what_the_work_answers() {
        let pools = WorkerPools::start(1, 1).unwrap();
        assert_eq!(pools.run(Pool::Database, || 1).await.unwrap(), 1);
        assert_eq!(pools.run(Pool::Passwords, || 2).await.unwrap(), 2);
        assert_eq!(pools.run(Pool::Images, || 3).await.unwrap(), 3);
    }

    #[actix_web::test]
    async fn panic_ends_the_work_and_not_the_thread() {
        let pools = WorkerPools::start(1, 1).unwrap();
        for lane in [Pool::Database, Pool::Passwords, Pool::Images] {
            let panicked = pools.run(lane, || -> u8 { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(PoolError::Panicked)), "{lane:?}");
            assert_eq!(pools.run(lane, || 1).await.unwrap(), 1, "{lane:?}");
        }
    }

    #[actix_web::test]
    async fn a_full_password_queue_refuses_at_once_while_the_database_lane_goes_on() {
        let pools = WorkerPools::start(1, 1).unwrap();
        let (started, is_started) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        let first = actix_web::rt::spawn({
            let pools = pools.clone();
            async move {
                pools
                    .run(Pool::Passwords, move || {
                        started.send(()).unwrap();
                        held.recv().unwrap();
                    })
                    .await
            }
        });
        pools
            .run(Pool::Database, move || is_started.recv().unwrap())
            .await
            .unwrap();

        let second = pools.run(Pool::Passwords, || "waited");
        let mut second = std::pin::pin!(second);
        assert!(
            futures_util::poll!(second.as_mut()).is_pending(),
            "it waits in the queue"
        );
        let third = pools.run(Pool::Passwords, || "never").await;
        assert!(matches!(third, Err(PoolError::Busy)));
        assert_eq!(pools.run(Pool::Database, || 1).await.unwrap(), 1);

        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), "waited");
    }

    #[actix_web::test]
    async fn connections_beyond_the_slow_pools_have_database_threads() {
        let pools = WorkerPools::start(4, 1).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let meet = || {
            let barrier = Arc::clone(&barrier);
            pools.run(Pool::Database, move || barrier.wait())
        };
        let (one, other) = futures_util::future::join(meet(), meet()).await;
        assert_ne!(one.unwrap().is_leader(), other.unwrap().is_leader());
    }

    #[actix_web::test]
    async fn a_full_database_queue_refuses_at_once() {
        let pools = WorkerPools::start(1, 1).unwrap();
        let (started, is_started) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        let mut waiting = vec![Box::pin(pools.run(Pool::Database, move || {
            started.send(()).unwrap();
            held.recv().unwrap();
        })) as Pin<Box<dyn Future<Output = _>>>];
        assert!(futures_util::poll!(&mut waiting[0]).is_pending());
        is_started.recv().unwrap();
        for _ in 0..MAX_WAITING {
            let mut next = Box::pin(pools.run(Pool::Database, || ()));
            assert!(futures_util::poll!(&mut next).is_pending());
            waiting.push(next);
        }
        let refused = pools.run(Pool::Database, || ()).await;
        assert!(matches!(refused, Err(PoolError::Busy)));

        release.send(()).unwrap();
        for answer in waiting {
            answer.await.unwrap();
        }
    }

    #[actix_web::test]
    async fn work_that_nobody_waits_for_any_more_when_its_turn_comes_is_not_done() {
        let pools = WorkerPools::start(1, 2).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel::<&str>();
        let first = pools.run(Pool::Passwords, move || held.recv().unwrap());
        let mut first = std::pin::pin!(first);
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        {
            let abandoned = done.clone();
            let hung_up = pools.run(Pool::Passwords, move || abandoned.send("abandoned").unwrap());
            let mut hung_up = std::pin::pin!(hung_up);
            assert!(futures_util::poll!(hung_up.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        first.await.unwrap();
        pools
            .run(Pool::Passwords, move || done.send("last").unwrap())
            .await
            .unwrap();
        assert_eq!(is_done.try_iter().collect::<Vec<_>>(), ["last"]);
    }
}
