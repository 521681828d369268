//! A bounded queue in which the shares of clients take turns: a client with many jobs delays each other client by one
//! of them.

use std::collections::{HashMap, VecDeque};

use super::PoolError;
use crate::request::throttle::Key;

/// A job, and the client whose share it counts to.
pub(super) struct Entry<J> {
    pub(super) key: Key,
    pub(super) job: J,
}

/// The jobs of a pool that wait, and the number of those that run, by client.
pub(super) struct FairQueue<J> {
    shares: HashMap<Key, Jobs<J>>,
    /// The clients with waiting jobs, in the order of their turns.
    turns: VecDeque<Key>,
    waiting: usize,
    max_waiting: usize,
    /// Maximum number of jobs of one client that run at the same time, unless all clients are one.
    max_running: usize,
}

/// The jobs of one client.
struct Jobs<J> {
    waiting: VecDeque<J>,
    running: usize,
}

impl<J> FairQueue<J> {
    pub(super) fn new(max_waiting: usize, max_running: usize) -> Self {
        Self {
            shares: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            max_waiting,
            max_running,
        }
    }

    /// Returns the number of jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds a job. Returns a job that has no place, with the reason: this one, if its client has `max_jobs` already;
    /// otherwise, if the queue is full, the newest job of the client with the most waiting jobs.
    pub(super) fn push(&mut self, entry: Entry<J>, max_jobs: usize) -> Option<(J, PoolError)> {
        let Entry { key, job } = entry;
        let jobs = self.shares.entry(key.clone()).or_insert_with(|| Jobs {
            waiting: VecDeque::new(),
            running: 0,
        });
        if jobs.waiting.len() + jobs.running >= max_jobs {
            return Some((job, PoolError::ShareUsedUp));
        }
        if jobs.waiting.is_empty() {
            self.turns.push_back(key.clone());
        }
        jobs.waiting.push_back(job);
        self.waiting += 1;
        if self.waiting > self.max_waiting {
            return self.refuse(&key);
        }
        None
    }

    /// Takes the newest job of the client with the most waiting jobs, which is `newest` if others have as many.
    fn refuse(&mut self, newest: &Key) -> Option<(J, PoolError)> {
        let most = self
            .shares
            .iter()
            .max_by_key(|(key, jobs)| (jobs.waiting.len(), *key == newest));
        let key = most.map(|(key, _)| key.clone())?;
        let jobs = self.shares.get_mut(&key)?;
        let job = jobs.waiting.pop_back()?;
        self.waiting -= 1;
        if !jobs.waiting.is_empty() && key != Key::All {
            return Some((job, PoolError::ShareUsedUp));
        }
        if jobs.waiting.is_empty() {
            self.turns.retain(|turn| *turn != key);
            self.forget_idle(&key);
        }
        Some((job, PoolError::Busy))
    }

    /// Takes the next job to run, of the first client in turn that has not too many running. [`finish`](Self::finish)
    /// must be called after it.
    pub(super) fn next(&mut self) -> Option<Entry<J>> {
        let (shares, max_running) = (&self.shares, self.max_running);
        let may_run =
            |key: &Key| *key == Key::All || shares.get(key).is_some_and(|jobs| jobs.running < max_running);
        let turn = self.turns.iter().position(may_run)?;
        let key = self.turns.remove(turn)?;
        let jobs = self.shares.get_mut(&key)?;
        let job = jobs.waiting.pop_front()?;
        jobs.running += 1;
        if !jobs.waiting.is_empty() {
            self.turns.push_back(key.clone());
        }
        self.waiting -= 1;
        Some(Entry { key, job })
    }

    /// Ends a job.
    pub(super) fn finish(&mut self, key: &Key) {
        if let Some(jobs) = self.shares.get_mut(key) {
            jobs.running -= 1;
        }
        self.forget_idle(key);
    }

    fn forget_idle(&mut self, key: &Key) {
        if self
            .shares
            .get(key)
            .is_some_and(|jobs| jobs.waiting.is_empty() && jobs.running == 0)
        {
            self.shares.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use mycars_domain::UserId;

    use super::*;

    fn user(id: i64) -> Key {
        Key::User(UserId(id))
    }

    fn address(number: u32) -> Key {
        Key::Address(Ipv4Addr::from_bits(number).into())
    }

    impl FairQueue<&'static str> {
        fn add(&mut self, key: Key, job: &'static str) -> Option<(&'static str, &'static str)> {
            let refused = self.push(Entry { key, job }, usize::MAX)?;
            Some((refused.0, reason(&refused.1)))
        }

        /// Runs the next job alone.
        fn run(&mut self) -> Option<&'static str> {
            let Entry { key, job } = self.next()?;
            self.finish(&key);
            Some(job)
        }

        fn run_all(&mut self) -> Vec<&'static str> {
            std::iter::from_fn(|| self.run()).collect()
        }
    }

    fn reason(error: &PoolError) -> &'static str {
        match error {
            PoolError::Busy => "busy",
            PoolError::ShareUsedUp => "share used up",
            PoolError::Panicked => "panicked",
        }
    }

    #[test]
    fn clients_take_turns_whatever_the_order_of_their_jobs() {
        let mut queue = FairQueue::new(9, 1);
        for (client, job) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (2, "b2"), (3, "c1")] {
            assert_eq!(queue.add(address(client), job), None);
        }
        assert_eq!(queue.waiting(), 6);
        assert_eq!(queue.run_all(), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert_eq!(
            (queue.waiting(), queue.shares.len(), queue.turns.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn full_queue_refuses_newest_job_of_client_with_most_jobs() {
        let mut queue = FairQueue::new(3, 1);
        for job in ["a1", "a2", "a3"] {
            assert_eq!(queue.add(address(1), job), None);
        }
        assert_eq!(queue.add(address(1), "a4"), Some(("a4", "share used up")));
        assert_eq!(queue.add(address(2), "b1"), Some(("a3", "share used up")));
        assert_eq!(queue.add(address(3), "c1"), Some(("a2", "share used up")));
        assert_eq!(queue.add(address(4), "d1"), Some(("d1", "busy")), "all have one");
        assert_eq!(queue.run_all(), ["a1", "b1", "c1"]);
    }

    #[test]
    fn full_queue_of_all_clients_together_is_busy() {
        let mut queue = FairQueue::new(2, 1);
        assert_eq!((queue.add(Key::All, "1"), queue.add(Key::All, "2")), (None, None));
        assert_eq!(queue.add(Key::All, "3"), Some(("3", "busy")));
        assert_eq!(queue.run_all(), ["1", "2"]);
    }

    #[test]
    fn client_has_at_most_its_number_of_jobs_waiting_and_running() {
        let mut queue = FairQueue::new(9, 1);
        let push = |queue: &mut FairQueue<_>, job| {
            let refused = queue.push(Entry { key: user(1), job }, 2);
            refused.map(|(job, error)| (job, reason(&error)))
        };
        assert_eq!(push(&mut queue, "1"), None);
        let running = queue.next().unwrap();
        assert_eq!(push(&mut queue, "2"), None);
        assert_eq!(push(&mut queue, "3"), Some(("3", "share used up")));
        queue.finish(&running.key);
        assert_eq!(push(&mut queue, "4"), None);
        assert_eq!(queue.run_all(), ["2", "4"]);
    }

    #[test]
    fn client_with_its_number_of_running_jobs_waits_for_one_to_end() {
        let mut queue = FairQueue::new(9, 2);
        for job in ["a1", "a2", "a3"] {
            queue.add(user(1), job);
        }
        queue.add(user(2), "b1");
        let next = |queue: &mut FairQueue<_>| queue.next().map(|entry| entry.job);
        assert_eq!(next(&mut queue), Some("a1"));
        assert_eq!(next(&mut queue), Some("b1"));
        assert_eq!(next(&mut queue), Some("a2"));
        assert_eq!(next(&mut queue), None, "two are running");
        queue.finish(&user(1));
        assert_eq!(next(&mut queue), Some("a3"));
    }

    #[test]
    fn jobs_of_all_clients_together_run_on_all_threads() {
        let mut queue = FairQueue::new(9, 1);
        queue.add(Key::All, "1");
        queue.add(Key::All, "2");
        assert!(queue.next().is_some() && queue.next().is_some());
    }
}
