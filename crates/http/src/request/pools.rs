//! Pools of worker threads. Work that waits for the database or takes time runs here, on bounded queues: if a queue is
//! full, work is refused at once. Only files are read and written elsewhere, in small pieces: pictures by actix itself,
//! and uploads while they arrive.

mod queue;
mod waits;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use mycars_application::ports::{StatementUsage, TRACE_TARGET, take_statements};
use prometheus_client::metrics::histogram::Histogram;
use tokio::{sync::oneshot, task_local};
use tracing::Span;

use self::queue::{Entry, FairQueue};
pub(crate) use self::waits::{PoolLabels, PoolWaits};
use crate::request::throttle::Share;

/// The pool on which work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Work with the database, which takes milliseconds.
    Database,
    /// Work of which most time is spent waiting for the disk, if writers share commits; else as `Database`.
    Writes,
    /// Password hashing, which takes a quarter of a second each time. On the database's pool, a few logins at once would
    /// delay all other requests.
    Passwords,
    /// Decoding of pictures, which takes as long.
    Images,
    /// Opening pictures for clients. They may be on another machine, which may be slow or not respond.
    Media,
}

/// The reason why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    /// The queue is full.
    #[error("too many requests are waiting")]
    Busy,
    /// Too many jobs of the same user or address are waiting or running.
    #[error("too many requests of the same user or address are waiting")]
    ShareUsedUp,
    /// The work panicked; the message was written to standard error.
    #[error("the work panicked")]
    Panicked,
}

impl Pool {
    /// Returns whether a job takes so long that its client is checked before the job waits for its turn.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Passwords | Self::Images)
    }
}

/// The sizes of the worker pools.
#[derive(Debug, Clone, Copy)]
pub struct PoolSizes {
    /// Number of connections to the database.
    pub connections: usize,
    /// Whether writes share commits, so that more of them than connections can wait for a commit.
    pub shares_commits: bool,
    /// Number of threads that hash passwords.
    pub password_threads: usize,
    /// Maximum number of requests that wait for these threads.
    pub password_queue: usize,
    /// Number of threads that decode pictures.
    pub image_threads: usize,
}

#[cfg(test)]
impl PoolSizes {
    /// One thread in each pool, and one place in the queue of passwords.
    pub(crate) const SMALLEST: Self = Self {
        connections: 1,
        shares_commits: false,
        password_threads: 1,
        password_queue: 1,
        image_threads: 1,
    };
}

task_local! {
    /// The current request.
    static OBSERVED: Observed;
}

/// The observations of a request's work on the pools.
struct Observed {
    statements: Cell<StatementUsage>,
    /// The request's span in its trace.
    trace: Span,
}

/// Handles a request, and returns the statements of its work on the pools as well. The work has spans in `trace`.
pub(crate) async fn observe<T>(trace: Span, request: impl Future<Output = T>) -> (T, StatementUsage) {
    let observed = Observed {
        statements: Cell::default(),
        trace,
    };
    OBSERVED
        .scope(observed, async {
            let result = request.await;
            (result, OBSERVED.with(|observed| observed.statements.get()))
        })
        .await
}

/// Returns the span of work in the trace of the current request; a disabled one if there is no trace.
fn work_span(pool: Pool) -> Span {
    let in_trace = |observed: &Observed| {
        let trace = &observed.trace;
        (!trace.is_disabled()).then(|| {
            let pool = tracing::field::debug(pool);
            tracing::info_span!(target: TRACE_TARGET, parent: trace, "use case", mycars.pool = pool)
        })
    };
    OBSERVED
        .try_with(in_trace)
        .ok()
        .flatten()
        .unwrap_or_else(Span::none)
}

/// The worker pools.
#[derive(Clone)]
pub(crate) struct WorkerPools {
    waits: PoolWaits,
    database: Workers,
    writes: Option<Workers>,
    passwords: Workers,
    images: Workers,
    media: Workers,
}

/// The threads of a pool and their queue.
#[derive(Clone)]
struct Workers {
    queue: Arc<Mutex<FairQueue<Job>>>,
    /// Wakes the threads up, with at most one message for each.
    wake: Sender<()>,
    is_slow: bool,
    refused: Arc<AtomicU64>,
    wait: Histogram,
}

/// Runs the work, or returns the reason why it is refused.
type Job = Box<dyn FnOnce(Result<(), PoolError>) + Send>;

/// Number of threads for writes that share commits: while a thread waits for the commit, it holds no connection, and the
/// more threads wait, the more writes share a commit. One client has at most half of them.
const WRITE_THREADS: usize = 24;

/// Maximum number of requests that wait for a database thread.
const MAX_WAITING: usize = 512;

/// Number of threads that open pictures for clients. They mostly wait for a disk or for another machine.
const MEDIA_THREADS: usize = 16;

/// Maximum number of uploads that wait for a thread that decodes pictures.
const MAX_WAITING_IMAGES: usize = 64;

impl WorkerPools {
    /// Starts the threads of all pools. The database's pool has one for each connection but three, at least one: one
    /// connection is for the readiness check, and the slow threads share the others. They need a connection for a few
    /// milliseconds before and after their work, so two suffice for any number of them.
    pub(crate) fn start(sizes: PoolSizes) -> std::io::Result<Self> {
        let threads = sizes.connections.saturating_sub(3).max(1);
        let waits = PoolWaits::default();
        let start = |name, threads| Workers::start(name, threads, MAX_WAITING, waits.of(name));
        let start_slow =
            |name, threads, queue, share| Workers::start_slow(name, threads, queue, share, waits.of(name));
        Ok(Self {
            database: start("database", threads)?,
            writes: sizes
                .shares_commits
                .then(|| start("writes", WRITE_THREADS))
                .transpose()?,
            // A hash takes a quarter of a second whatever the client sends.
            passwords: start_slow(
                "passwords",
                sizes.password_threads,
                sizes.password_queue,
                sizes.password_threads,
            )?,
            // The largest pictures of one client take seconds and most of the memory, so they come one after the other.
            images: start_slow("images", sizes.image_threads, MAX_WAITING_IMAGES, 1)?,
            media: start("media", MEDIA_THREADS)?,
            waits,
        })
    }

    /// Returns the times that jobs have waited for a thread.
    pub(crate) fn waits(&self) -> PoolWaits {
        self.waits.clone()
    }

    /// Returns the number of jobs that wait for a thread of each pool, by its name.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.named()
            .map(|(name, workers)| (name, workers.queue().waiting()))
    }

    /// Returns the number of jobs that each pool has refused, by its name.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.named()
            .map(|(name, workers)| (name, workers.refused.load(Ordering::Relaxed)))
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Workers)> {
        [
            ("database", Some(&self.database)),
            ("writes", self.writes.as_ref()),
            ("passwords", Some(&self.passwords)),
            ("images", Some(&self.images)),
            ("media", Some(&self.media)),
        ]
        .into_iter()
        .filter_map(|(name, workers)| Some((name, workers?)))
    }

    /// Runs `work` on a pool, inside the current span, and returns its result. Clients take turns, each with its share.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        pool: Pool,
        share: Share,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (span, work_span) = (Span::current(), work_span(pool));
        let workers = match pool {
            Pool::Database => &self.database,
            Pool::Writes => self.writes.as_ref().unwrap_or(&self.database),
            Pool::Passwords => &self.passwords,
            Pool::Images => &self.images,
            Pool::Media => &self.media,
        };
        let (reply, answer) = oneshot::channel();
        let (queued, wait) = (Instant::now(), workers.wait.clone());
        let job = Box::new(move |turn: Result<(), PoolError>| {
            // The client closed the connection while the job was queued, so that its result is not needed.
            if reply.is_closed() {
                span.in_scope(|| tracing::debug!("skipped the work of a closed connection"));
                return;
            }
            if let Err(refused) = turn {
                drop(reply.send(Err(refused)));
                return;
            }
            wait.observe(queued.elapsed().as_secs_f64());
            // A panic ends the work, not the thread.
            span.in_scope(|| {
                let _traced = work_span.entered();
                let _ = take_statements();
                if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
                    drop(reply.send(Ok((result, take_statements()))));
                } else {
                    tracing::error!("request handler panicked");
                }
            });
        });
        workers.push(share, job);
        let (result, statements) = answer.await.map_err(|_| PoolError::Panicked)??;
        // Without a scope, the work belongs to no request whose log line is still to come, such as the rest of a list.
        let _ = OBSERVED.try_with(|observed| {
            let sum = &observed.statements;
            sum.set(sum.get().plus(statements));
        });
        Ok(result)
    }
}

impl Workers {
    /// Starts threads of normal priority. At most half of them work for one share at the same time.
    fn start(name: &str, threads: usize, max_waiting: usize, wait: Histogram) -> std::io::Result<Self> {
        let queue = FairQueue::new(max_waiting, (threads / 2).max(1));
        Self::start_threads(name, threads, queue, false, wait)
    }

    /// Starts threads for slow jobs, with a lower priority than all other threads. At most `max_running` work for one
    /// share at the same time.
    fn start_slow(
        name: &str,
        threads: usize,
        max_waiting: usize,
        max_running: usize,
        wait: Histogram,
    ) -> std::io::Result<Self> {
        let queue = FairQueue::new(max_waiting, max_running);
        Self::start_threads(name, threads, queue, true, wait)
    }

    fn start_threads(
        name: &str,
        threads: usize,
        queue: FairQueue<Job>,
        is_slow: bool,
        wait: Histogram,
    ) -> std::io::Result<Self> {
        let (wake, woken) = bounded(threads);
        let workers = Self {
            queue: Arc::new(Mutex::new(queue)),
            wake,
            is_slow,
            refused: Arc::default(),
            wait,
        };
        for _ in 0..threads {
            workers.start_thread(name, woken.clone())?;
        }
        Ok(workers)
    }

    /// Starts a thread that runs one job after the other until the server stops.
    fn start_thread(&self, name: &str, woken: Receiver<()>) -> std::io::Result<()> {
        let (queue, is_slow) = (Arc::clone(&self.queue), self.is_slow);
        let run_jobs = move || {
            if is_slow {
                lower_priority();
            }
            for () in woken {
                while let Some(Entry { key, job }) = next(&queue) {
                    job(Ok(()));
                    lock(&queue).finish(&key);
                }
            }
        };
        thread::Builder::new().name(name.into()).spawn(run_jobs)?;
        Ok(())
    }

    /// Queues a job, and refuses it or another one if there are too many.
    fn push(&self, share: Share, job: Job) {
        let max_jobs = if self.is_slow { share.max_jobs } else { usize::MAX };
        let entry = Entry { key: share.key, job };
        let refused = self.queue().push(entry, max_jobs);
        if let Some((job, error)) = refused {
            self.refused.fetch_add(1, Ordering::Relaxed);
            job(Err(error));
        }
        // If there is no room, each thread is woken up already.
        let _ = self.wake.try_send(());
    }

    fn queue(&self) -> MutexGuard<'_, FairQueue<Job>> {
        lock(&self.queue)
    }
}

/// Takes the next job, without holding the lock while it runs.
fn next(queue: &Mutex<FairQueue<Job>>) -> Option<Entry<Job>> {
    lock(queue).next()
}

fn lock(queue: &Mutex<FairQueue<Job>>) -> MutexGuard<'_, FairQueue<Job>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nice value of threads for slow work. They get a third of the processor time of a thread that serves requests: with a
/// tenth, a login took seconds while searches occupied all cores.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Lowers the priority of the calling thread, because slow work can wait and other requests can't. On Linux the nice
/// value applies to a thread; elsewhere it applies to the whole process and is not changed.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        let current = thread::current();
        let name = current.name().unwrap_or_default();
        tracing::warn!(%error, name, "could not lower the priority of thread {name}");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        pin::Pin,
        sync::{Arc, Barrier, mpsc},
    };

    use mycars_domain::UserId;

    use super::*;
    use crate::request::throttle::Key;

    /// Starts pools with one slow thread each.
    fn start(connections: usize, password_queue: usize) -> WorkerPools {
        WorkerPools::start(PoolSizes {
            connections,
            password_queue,
            ..PoolSizes::SMALLEST
        })
        .unwrap()
    }

    #[actix_web::test]
    async fn every_pool_returns_the_result_of_the_work() {
        let pools = start(1, 1);
        assert_eq!(pools.run(Pool::Database, Share::ALL, || 1).await.unwrap(), 1);
        assert_eq!(pools.run(Pool::Passwords, Share::ALL, || 2).await.unwrap(), 2);
        assert_eq!(pools.run(Pool::Images, Share::ALL, || 3).await.unwrap(), 3);
    }

    #[actix_web::test]
    async fn panic_ends_the_work_and_not_the_thread() {
        let pools = start(1, 1);
        for pool in [Pool::Database, Pool::Passwords, Pool::Images] {
            let panicked = pools
                .run(pool, Share::ALL, || -> u8 { panic!("on purpose") })
                .await;
            assert!(matches!(panicked, Err(PoolError::Panicked)), "{pool:?}");
            assert_eq!(pools.run(pool, Share::ALL, || 1).await.unwrap(), 1, "{pool:?}");
        }
    }

    #[actix_web::test]
    async fn full_password_queue_does_not_block_the_database_pool() {
        let pools = start(1, 1);
        let (started, is_started) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        let first = actix_web::rt::spawn({
            let pools = pools.clone();
            async move {
                pools
                    .run(Pool::Passwords, Share::ALL, move || {
                        started.send(()).unwrap();
                        held.recv().unwrap();
                    })
                    .await
            }
        });
        pools
            .run(Pool::Database, Share::ALL, move || is_started.recv().unwrap())
            .await
            .unwrap();

        let second = pools.run(Pool::Passwords, Share::ALL, || "waited");
        let mut second = std::pin::pin!(second);
        assert!(
            futures_util::poll!(second.as_mut()).is_pending(),
            "it waits in the queue"
        );
        let third = pools.run(Pool::Passwords, Share::ALL, || "never").await;
        assert!(matches!(third, Err(PoolError::Busy)));
        assert_eq!(pools.run(Pool::Database, Share::ALL, || 1).await.unwrap(), 1);

        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), "waited");
    }

    fn share(user: i64) -> Share {
        Share {
            key: Key::User(UserId(user)),
            max_jobs: 2,
        }
    }

    #[actix_web::test]
    async fn users_take_turns_and_have_two_jobs_on_a_slow_pool() {
        let pools = start(1, 8);
        let (release, held) = mpsc::channel::<()>();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut jobs: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
        let first = move || held.recv().unwrap();
        jobs.push(Box::pin(pools.run(Pool::Passwords, share(1), first)));
        assert!(futures_util::poll!(&mut jobs[0]).is_pending());
        for (user, name) in [(1, "attacker"), (2, "victim"), (3, "other")] {
            let order = Arc::clone(&order);
            let work = move || order.lock().unwrap().push(name);
            let mut job = Box::pin(pools.run(Pool::Passwords, share(user), work));
            assert!(futures_util::poll!(&mut job).is_pending());
            jobs.push(job);
        }
        let third = pools.run(Pool::Passwords, share(1), || ()).await;
        assert!(matches!(third, Err(PoolError::ShareUsedUp)));
        assert_eq!(
            pools.refused().collect::<Vec<_>>(),
            [("database", 0), ("passwords", 1), ("images", 0), ("media", 0)]
        );
        release.send(()).unwrap();
        for job in jobs {
            job.await.unwrap();
        }
        assert_eq!(order.lock().unwrap().len(), 3);
        pools.run(Pool::Passwords, share(1), || ()).await.unwrap();
    }

    #[actix_web::test]
    async fn one_user_never_has_all_database_threads() {
        let pools = start(5, 1);
        let (release, held) = mpsc::channel::<()>();
        let slow = pools.run(Pool::Database, share(1), move || held.recv().unwrap());
        let mut slow = std::pin::pin!(slow);
        assert!(futures_util::poll!(slow.as_mut()).is_pending());
        let waiting = pools.run(Pool::Database, share(1), || ());
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        pools.run(Pool::Database, share(2), || ()).await.unwrap();
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        release.send(()).unwrap();
        slow.await.unwrap();
        waiting.await.unwrap();
    }

    #[actix_web::test]
    async fn connections_beyond_the_slow_pools_have_database_threads() {
        let pools = start(5, 1);
        let barrier = Arc::new(Barrier::new(2));
        let meet = || {
            let barrier = Arc::clone(&barrier);
            pools.run(Pool::Database, Share::ALL, move || barrier.wait())
        };
        let (one, other) = futures_util::future::join(meet(), meet()).await;
        assert_ne!(one.unwrap().is_leader(), other.unwrap().is_leader());
    }

    #[actix_web::test]
    async fn writes_have_own_threads_only_if_they_share_commits() {
        let meet = |pools: WorkerPools, barrier: Arc<Barrier>| async move {
            pools
                .run(Pool::Writes, Share::ALL, move || {
                    barrier.wait();
                    thread::current().name().map(str::to_owned)
                })
                .await
                .unwrap()
        };
        let alone = meet(start(1, 1), Arc::new(Barrier::new(1))).await;
        assert_eq!(alone.as_deref(), Some("database"));

        let (pools, barrier) = (
            WorkerPools::start(PoolSizes {
                shares_commits: true,
                ..PoolSizes::SMALLEST
            })
            .unwrap(),
            Arc::new(Barrier::new(WRITE_THREADS)),
        );
        let jobs = (0..WRITE_THREADS).map(|_| meet(pools.clone(), Arc::clone(&barrier)));
        for name in futures_util::future::join_all(jobs).await {
            assert_eq!(name.as_deref(), Some("writes"));
        }
    }

    #[actix_web::test]
    async fn pictures_of_one_user_leave_a_thread_to_others() {
        let pools = WorkerPools::start(PoolSizes {
            image_threads: 2,
            ..PoolSizes::SMALLEST
        })
        .unwrap();
        let (release, held) = mpsc::channel::<()>();
        let slow = pools.run(Pool::Images, share(1), move || held.recv().unwrap());
        let mut slow = std::pin::pin!(slow);
        assert!(futures_util::poll!(slow.as_mut()).is_pending());
        let waiting = pools.run(Pool::Images, share(1), || ());
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        pools.run(Pool::Images, share(2), || ()).await.unwrap();
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        release.send(()).unwrap();
        slow.await.unwrap();
        waiting.await.unwrap();
    }

    #[actix_web::test]
    async fn all_password_threads_work_for_one_address_at_once() {
        let pools = WorkerPools::start(PoolSizes {
            password_threads: 3,
            password_queue: 8,
            ..PoolSizes::SMALLEST
        })
        .unwrap();
        let barrier = Arc::new(Barrier::new(3));
        let office = Share {
            key: Key::Address(Ipv4Addr::LOCALHOST.into()),
            max_jobs: usize::MAX,
        };
        let jobs = (0..3).map(|_| {
            let barrier = Arc::clone(&barrier);
            pools.run(Pool::Passwords, office.clone(), move || barrier.wait())
        });
        for met in futures_util::future::join_all(jobs).await {
            met.unwrap();
        }
    }

    #[actix_web::test]
    async fn full_database_queue_refuses_at_once() {
        let pools = start(1, 1);
        let (started, is_started) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        let mut waiting = vec![Box::pin(pools.run(Pool::Database, Share::ALL, move || {
            started.send(()).unwrap();
            held.recv().unwrap();
        })) as Pin<Box<dyn Future<Output = _>>>];
        assert!(futures_util::poll!(&mut waiting[0]).is_pending());
        is_started.recv().unwrap();
        for _ in 0..MAX_WAITING {
            let mut next = Box::pin(pools.run(Pool::Database, Share::ALL, || ()));
            assert!(futures_util::poll!(&mut next).is_pending());
            waiting.push(next);
        }
        let refused = pools.run(Pool::Database, Share::ALL, || ()).await;
        assert!(matches!(refused, Err(PoolError::Busy)));

        release.send(()).unwrap();
        for answer in waiting {
            answer.await.unwrap();
        }
    }

    #[actix_web::test]
    async fn abandoned_work_is_not_run() {
        let pools = start(1, 2);
        let (release, held) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel::<&str>();
        let first = pools.run(Pool::Passwords, Share::ALL, move || held.recv().unwrap());
        let mut first = std::pin::pin!(first);
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        {
            let abandoned = done.clone();
            let hung_up = pools.run(Pool::Passwords, Share::ALL, move || {
                abandoned.send("abandoned").unwrap();
            });
            let mut hung_up = std::pin::pin!(hung_up);
            assert!(futures_util::poll!(hung_up.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        first.await.unwrap();
        pools
            .run(Pool::Passwords, Share::ALL, move || done.send("last").unwrap())
            .await
            .unwrap();
        assert_eq!(is_done.try_iter().collect::<Vec<_>>(), ["last"]);
    }
}
