//! Pools of worker threads. Work that waits for the database or takes time runs here, on bounded queues: if a queue is
//! full, work is refused at once. Only files are read and written elsewhere, in small pieces: pictures by actix itself,
//! and uploads while they arrive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::oneshot;
use tracing::Span;

/// The pool on which work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Work with the database, which takes milliseconds.
    Database,
    /// Password hashing, on one thread, which takes a quarter of a second each time. On the database's pool, a few
    /// logins at once would delay all other requests.
    Passwords,
    /// Decoding of pictures, on one thread, which bounds time and memory.
    Images,
}

/// The reason why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// The queue is full.
    #[error("too many requests are waiting")]
    Busy,
    /// The work panicked; the message was written to standard error.
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

/// Maximum number of requests that wait for a database thread.
const MAX_WAITING: usize = 512;

/// Maximum number of uploads that wait for the thread that decodes pictures.
const MAX_WAITING_IMAGES: usize = 64;

impl WorkerPools {
    /// Starts one thread for each of `connections` to the database: one hashes passwords, one decodes pictures, and the
    /// others, at least one, do everything else. At most `max_passwords` jobs wait for the thread that hashes.
    ///
    /// If there are at least three connections, no thread waits for one. A slow thread would wait long, because the
    /// others overtake it.
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

    /// Returns the number of jobs that wait for a thread of each pool, by its name.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        [
            ("database", self.database.len()),
            ("passwords", self.passwords.len()),
            ("images", self.images.len()),
        ]
    }

    /// Runs `work` on a pool, inside the current span, and returns its result.
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
            // The client closed the connection while the job was queued, so that its result is not needed.
            if reply.is_closed() {
                return;
            }
            // A panic ends the work, not the thread.
            span.in_scope(|| {
                if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
                    drop(reply.send(result));
                } else {
                    tracing::error!("request handler panicked");
                }
            });
        });
        queue.try_send(job).map_err(|_| PoolError::Busy)?;
        answer.await.map_err(|_| PoolError::Panicked)
    }
}

/// Starts a thread that runs jobs.
fn start_thread(name: &str, jobs: Receiver<Job>, run_jobs: fn(Receiver<Job>)) -> std::io::Result<()> {
    thread::Builder::new()
        .name(name.into())
        .spawn(move || run_jobs(jobs))?;
    Ok(())
}

/// Runs one job after the other until the server stops.
fn run_jobs(jobs: Receiver<Job>) {
    for job in jobs {
        job();
    }
}

/// Runs slow jobs, with a lower priority than all other threads.
fn run_slow_jobs(jobs: Receiver<Job>) {
    lower_priority();
    run_jobs(jobs);
}

/// Nice value of threads for slow work. They get a tenth of the processor time of a thread that serves requests, and
/// logins still finish on a machine that is busy with other programs.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread, because slow work can wait and other requests can't. On Linux the nice
/// value applies to a thread; elsewhere it applies to the whole process and is not changed.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        let current = thread::current();
        let name = current.name().unwrap_or_default();
        tracing::warn!(%error, name, "could not lower the priority of worker thread {name}");
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
    async fn every_pool_returns_the_result_of_the_work() {
        let pools = WorkerPools::start(1, 1).unwrap();
        assert_eq!(pools.run(Pool::Database, || 1).await.unwrap(), 1);
        assert_eq!(pools.run(Pool::Passwords, || 2).await.unwrap(), 2);
        assert_eq!(pools.run(Pool::Images, || 3).await.unwrap(), 3);
    }

    #[actix_web::test]
    async fn panic_ends_the_work_and_not_the_thread() {
        let pools = WorkerPools::start(1, 1).unwrap();
        for pool in [Pool::Database, Pool::Passwords, Pool::Images] {
            let panicked = pools.run(pool, || -> u8 { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(PoolError::Panicked)), "{pool:?}");
            assert_eq!(pools.run(pool, || 1).await.unwrap(), 1, "{pool:?}");
        }
    }

    #[actix_web::test]
    async fn full_password_queue_does_not_block_the_database_pool() {
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
    async fn full_database_queue_refuses_at_once() {
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
    async fn abandoned_work_is_not_run() {
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
