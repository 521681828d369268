//! The transactions of writes. SQLite has one writer at a time, and each commit waits for the disk. So writers that
//! wait for each other share a commit: each works in a savepoint of the same transaction, and the last one commits.
//!
//! A writer without others begins, works and commits as if there were no groups. No writer waits for others to join.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use diesel::{
    connection::{AnsiTransactionManager, TransactionManager as _},
    r2d2::PooledConnection,
};
use mycars_application::ports::{Rollback, StoreError};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    Conn,
    store::{Manager, Wait, roll_back},
};
use crate::error::store_error;

/// Age after which a group takes no further members. Its members wait for the commit at most this long, and for the
/// work of one more member.
const MAX_AGE: Duration = Duration::from_millis(10);

/// The transactions of the writers of this process.
pub(super) struct Transactions {
    turns: Mutex<Turns>,
    is_free: Condvar,
    patience: Duration,
    max_age: Duration,
}

#[derive(Default)]
struct Turns {
    /// Whether a writer works or commits.
    is_taken: bool,
    /// Number of writers that wait for their turn.
    waiting: usize,
    /// The group that the next writer continues. Is only set while writers wait, so that one of them commits it.
    open: Option<Group>,
}

impl Transactions {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            turns: Mutex::default(),
            is_free: Condvar::new(),
            patience,
            max_age: MAX_AGE,
        }
    }

    /// Does `work` in a transaction, which `begin` begins unless the writer joins a group. Returns after the commit,
    /// even if `work` was rolled back, because it may have read changes of the group. After a failed commit, all members
    /// of the group get its error. A panic is passed on.
    pub(super) fn run(
        &self,
        wait: Wait,
        begin: impl FnOnce() -> Result<PooledConnection<Manager>, StoreError>,
        work: impl FnOnce(&mut Conn) -> Result<(), Rollback>,
    ) -> Result<(), StoreError> {
        let mut turn = self.take_turn(wait)?;
        let mut group = match turn.group.take() {
            Some(group) => group.joined()?,
            None => Group::of(begin()?),
        };
        let outcome = Arc::clone(&group.outcome);
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut group.conn)));
        turn.group = match done {
            Ok(Ok(())) => group.keep(),
            _ => group.undo(),
        };
        drop(turn);
        if let Err(panic) = done {
            resume_unwind(panic);
        }
        outcome.wait().as_ref().copied().map_err(copy_of)
    }

    /// Waits until no other writer works.
    fn take_turn(&self, wait: Wait) -> Result<Turn<'_>, StoreError> {
        let mut turns = self.turns.lock();
        let may_wait = wait == Wait::UntilTimeout;
        if turns.is_taken && may_wait {
            turns.waiting += 1;
            self.is_free
                .wait_while_for(&mut turns, |turns| turns.is_taken, self.patience);
            turns.waiting -= 1;
        }
        if turns.is_taken || (turns.open.is_some() && !may_wait) {
            return Err(StoreError::Unavailable(
                "other writers held the lock for the whole timeout".into(),
            ));
        }
        turns.is_taken = true;
        Ok(Turn {
            transactions: self,
            group: turns.open.take(),
            is_alone: !may_wait,
        })
    }
}

/// The turn of a writer. On drop, its group is left to a waiting writer, or committed if there is none.
struct Turn<'a> {
    transactions: &'a Transactions,
    group: Option<Group>,
    /// Whether the writer must not wait for the work of others.
    is_alone: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.transactions.turns.lock();
        if let Some(group) = self.group.take() {
            let is_closed = self.is_alone || group.began.elapsed() >= self.transactions.max_age;
            if turns.waiting == 0 || is_closed {
                // After a panic, `Group::drop` tells the members, and the turn must end.
                MutexGuard::unlocked(&mut turns, || {
                    drop(catch_unwind(AssertUnwindSafe(|| group.commit())));
                });
            } else {
                turns.open = Some(group);
            }
        }
        turns.is_taken = false;
        self.transactions.is_free.notify_one();
    }
}

/// Writers that share an open transaction.
struct Group {
    conn: PooledConnection<Manager>,
    began: Instant,
    /// Whether a member has a savepoint: the first one has the transaction itself.
    has_savepoint: bool,
    outcome: Outcome,
}

/// The outcome of a group's commit, for all its members.
type Outcome = Arc<OnceLock<Result<(), StoreError>>>;

impl Group {
    /// Creates a group of one member on a connection with an open transaction.
    fn of(conn: PooledConnection<Manager>) -> Self {
        Self {
            conn,
            began: Instant::now(),
            has_savepoint: false,
            outcome: Outcome::default(),
        }
    }

    /// Adds a member. If that fails, the whole group fails.
    fn joined(mut self) -> Result<Self, StoreError> {
        AnsiTransactionManager::begin_transaction(&mut *self.conn).map_err(store_error)?;
        self.has_savepoint = true;
        Ok(self)
    }

    /// Keeps the changes of the last member. Returns the group unless it failed.
    fn keep(mut self) -> Option<Self> {
        if self.has_savepoint && AnsiTransactionManager::commit_transaction(&mut *self.conn).is_err() {
            return None;
        }
        Some(self)
    }

    /// Rolls back the changes of the last member. Returns the group if it has other members. SQLite rolls back all of
    /// them by itself if its disk is full.
    fn undo(mut self) -> Option<Self> {
        if !self.has_savepoint {
            roll_back(&mut self.conn);
            self.end(Ok(()));
            return None;
        }
        match AnsiTransactionManager::rollback_transaction(&mut *self.conn) {
            Ok(()) => Some(self),
            Err(_) => None,
        }
    }

    fn commit(mut self) {
        let outcome = AnsiTransactionManager::commit_transaction(&mut *self.conn);
        self.end(outcome.map_err(store_error));
    }

    /// Tells the members the outcome, unless they know it.
    fn end(&self, outcome: Result<(), StoreError>) {
        self.outcome.set(outcome).ok();
    }
}

impl Drop for Group {
    /// Ends a group that failed before its commit. The pool closes a connection with an open transaction.
    fn drop(&mut self) {
        self.end(Err(StoreError::Unavailable(
            "the transaction was rolled back with another write of its group".into(),
        )));
    }
}

/// Returns an error for one of several members.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(cause) => StoreError::Unavailable(cause.to_string().into()),
        StoreError::NotWritable(cause) => StoreError::NotWritable(cause.to_string().into()),
        StoreError::Taken(field) => StoreError::Taken(*field),
        StoreError::OwnerGone => StoreError::OwnerGone,
        StoreError::Other(cause) => StoreError::Other(cause.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{self, Receiver, Sender},
        thread::{self, ScopedJoinHandle},
    };

    use diesel::{
        QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, r2d2::Pool, sql_query,
        sql_types::BigInt,
    };
    use mycars_testkit::TestDatabase;

    use super::{super::begin, *};
    use crate::options::Options;

    /// A table of numbers. The commit of a write that adds a negative number fails, and adding zero makes SQLite roll
    /// the whole transaction back, as it does when the disk is full.
    const NUMBERS: &str = "
        CREATE TABLE numbers (number INTEGER);
        CREATE TABLE children (parent INTEGER REFERENCES numbers_allowed (number) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE numbers_allowed (number INTEGER PRIMARY KEY);
        CREATE TRIGGER fail_commit AFTER INSERT ON numbers WHEN new.number < 0
        BEGIN INSERT INTO children VALUES (new.number); END;
        CREATE TRIGGER fill_disk AFTER INSERT ON numbers WHEN new.number = 0
        BEGIN SELECT RAISE(ROLLBACK, 'rolled back'); END;";

    struct World {
        transactions: Transactions,
        pool: Pool<Manager>,
        _database: TestDatabase,
    }

    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }

    fn numbers(conn: &mut Conn) -> Vec<i64> {
        let rows: Vec<Number> = sql_query("SELECT number FROM numbers ORDER BY number")
            .load(conn)
            .unwrap();
        rows.into_iter().map(|row| row.number).collect()
    }

    fn add(conn: &mut Conn, number: i64) -> Result<(), Rollback> {
        conn.batch_execute(&format!("INSERT INTO numbers VALUES ({number})"))
            .map_err(|_| Rollback)
    }

    impl World {
        fn with(max_age: Duration) -> Self {
            let database = TestDatabase::empty_sqlite();
            let path = database.url().replace("sqlite://", "");
            let pool = Pool::builder().max_size(3).build(Manager::new(path)).unwrap();
            let settings = "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;";
            for mut conn in [pool.get(), pool.get(), pool.get()].map(Result::unwrap) {
                conn.batch_execute(settings).unwrap();
            }
            pool.get().unwrap().batch_execute(NUMBERS).unwrap();
            Self {
                transactions: Transactions {
                    max_age,
                    ..Transactions::new(Duration::from_mins(1))
                },
                pool,
                _database: database,
            }
        }

        fn write(
            &self,
            wait: Wait,
            work: impl FnOnce(&mut Conn) -> Result<(), Rollback>,
        ) -> Result<(), StoreError> {
            let begin = || {
                let mut conn = self.pool.get().unwrap();
                begin(&mut conn, Options::default()).map_err(store_error)?;
                Ok(conn)
            };
            self.transactions.run(wait, begin, work)
        }

        /// Returns the numbers that another connection sees.
        fn committed(&self) -> Vec<i64> {
            numbers(&mut self.pool.get().unwrap())
        }

        fn wait_for_waiting(&self, writers: usize) {
            while self.transactions.turns.lock().waiting != writers {
                thread::yield_now();
            }
        }
    }

    type Work<'a> = dyn Fn(&mut Conn) -> Result<(), Rollback> + Sync + 'a;
    type Handle<'scope> = ScopedJoinHandle<'scope, Result<(), StoreError>>;

    /// Starts a writer that adds 1 and works until the sender is used or dropped, and waits until it works.
    fn start_first<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        world: &'scope World,
    ) -> (Sender<()>, Handle<'scope>) {
        let (release, held): (_, Receiver<()>) = mpsc::channel();
        let (started, is_started) = mpsc::channel();
        let writer = scope.spawn(move || {
            world.write(Wait::UntilTimeout, |conn| {
                started.send(()).unwrap();
                held.recv().ok();
                add(conn, 1)
            })
        });
        is_started.recv().unwrap();
        (release, writer)
    }

    /// Adds 1, and then lets writers that wait for that do each work. Returns the outcomes in the same order.
    fn run_group<const N: usize>(
        world: &World,
        works: [&Work<'_>; N],
    ) -> Vec<thread::Result<Result<(), StoreError>>> {
        thread::scope(|scope| {
            let (release, first) = start_first(scope, world);
            let mut writers = vec![first];
            for (number, work) in works.into_iter().enumerate() {
                writers.push(scope.spawn(move || world.write(Wait::UntilTimeout, work)));
                world.wait_for_waiting(number + 1);
            }
            drop(release);
            writers.into_iter().map(ScopedJoinHandle::join).collect()
        })
    }

    fn is_unavailable(outcome: &thread::Result<Result<(), StoreError>>) -> bool {
        matches!(outcome, Ok(Err(StoreError::Unavailable(_))))
    }

    #[test]
    fn writer_alone_commits_or_rolls_back() {
        let world = World::with(Duration::MAX);
        world.write(Wait::UntilTimeout, |conn| add(conn, 1)).unwrap();
        world
            .write(Wait::UntilTimeout, |conn| {
                add(conn, 2)?;
                Err(Rollback)
            })
            .unwrap();
        world.write(Wait::Never, |conn| add(conn, 3)).unwrap();
        assert_eq!(world.committed(), [1, 3]);
    }

    #[test]
    fn waiting_writers_share_a_commit_unseen_by_readers() {
        let world = World::with(Duration::MAX);
        let outcomes = run_group(
            &world,
            [
                &|conn| {
                    assert_eq!((numbers(conn), world.committed()), (vec![1], vec![]));
                    add(conn, 2)
                },
                &|conn| {
                    assert_eq!((numbers(conn), world.committed()), (vec![1, 2], vec![]));
                    add(conn, 3)
                },
            ],
        );
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Ok(())))));
        assert_eq!(world.committed(), [1, 2, 3]);
    }

    #[test]
    fn error_and_panic_roll_back_their_own_changes_only() {
        let world = World::with(Duration::MAX);
        let outcomes = run_group(
            &world,
            [
                &|conn| {
                    add(conn, 2)?;
                    Err(Rollback)
                },
                &|conn| {
                    assert_eq!(numbers(conn), [1]);
                    add(conn, 3)?;
                    panic!("on purpose")
                },
                &|conn| {
                    assert_eq!((numbers(conn), world.committed()), (vec![1], vec![]));
                    add(conn, 4)
                },
            ],
        );
        assert!(matches!(
            outcomes[..],
            [Ok(Ok(())), Ok(Ok(())), Err(_), Ok(Ok(()))]
        ));
        assert_eq!(world.committed(), [1, 4]);
    }

    #[test]
    fn last_member_with_an_error_commits_the_others() {
        let world = World::with(Duration::MAX);
        let outcomes = run_group(&world, [&|_| Err(Rollback)]);
        assert!(matches!(outcomes[..], [Ok(Ok(())), Ok(Ok(()))]));
        assert_eq!(world.committed(), [1]);
    }

    #[test]
    fn failed_commit_fails_all_members_and_no_later_writer() {
        let world = World::with(Duration::MAX);
        let outcomes = run_group(&world, [&|conn| add(conn, -1), &|_| Err(Rollback)]);
        for outcome in &outcomes {
            assert!(matches!(outcome, Ok(Err(StoreError::OwnerGone))), "{outcome:?}");
        }
        assert!(world.committed().is_empty());
        world.write(Wait::UntilTimeout, |conn| add(conn, 5)).unwrap();
        assert_eq!(world.committed(), [5]);
    }

    #[test]
    fn transaction_rolled_back_by_sqlite_fails_its_members() {
        let world = World::with(Duration::MAX);
        let outcomes = run_group(&world, [&|conn| add(conn, 0), &|conn| add(conn, 2)]);
        assert!(is_unavailable(&outcomes[0]) && is_unavailable(&outcomes[1]));
        assert!(matches!(outcomes[2], Ok(Ok(()))));
        assert_eq!(world.committed(), [2]);
    }

    #[test]
    fn old_group_is_committed_before_the_next_writer() {
        let world = World::with(Duration::ZERO);
        let outcomes = run_group(
            &world,
            [&|conn| {
                assert_eq!(world.committed(), [1]);
                add(conn, 2)
            }],
        );
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Ok(())))));
        assert_eq!(world.committed(), [1, 2]);
    }

    #[test]
    fn writer_that_stops_waiting_leaves_no_open_group() {
        let mut world = World::with(Duration::MAX);
        world.transactions.patience = Duration::from_millis(1);
        thread::scope(|scope| {
            let (release, first) = start_first(scope, &world);
            for wait in [Wait::UntilTimeout, Wait::Never] {
                let refused = world.write(wait, |conn| add(conn, 2));
                assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
            }
            drop(release);
            first.join().unwrap().unwrap();
        });
        assert_eq!(world.committed(), [1]);
    }

    #[test]
    fn write_now_shares_no_commit() {
        let world = &World::with(Duration::MAX);
        thread::scope(|scope| {
            let mut waiting = None;
            world
                .write(Wait::Never, |conn| {
                    waiting = Some(scope.spawn(move || {
                        world.write(Wait::UntilTimeout, |conn| {
                            assert_eq!(world.committed(), [1]);
                            add(conn, 2)
                        })
                    }));
                    world.wait_for_waiting(1);
                    add(conn, 1)
                })
                .unwrap();
            waiting.unwrap().join().unwrap().unwrap();
        });
        assert_eq!(world.committed(), [1, 2]);
    }
}
