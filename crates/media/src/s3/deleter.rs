//! Deletes pictures one after the other on a thread of its own: requests do not wait for the store, however many
//! pictures a deleted user had.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use rusty_s3::actions::DeleteObject;

use super::client::{Client, RequestError};

/// Maximum number of pictures that wait for their deletion. Further ones are left to the next sweep.
const MAX_WAITING: usize = 100_000;

/// Maximum number of attempts to delete a picture while the store is not available.
const ATTEMPTS: u32 = 10;
/// Time before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum time between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Maximum time for which a command waits at its end for deletions.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The thread, and the keys that wait. When this is dropped, it waits a while for the deletion of the waiting ones.
pub(super) struct Deleter {
    waiting: Arc<Waiting>,
    queue: SyncSender<String>,
}

/// The keys that wait for their deletion.
#[derive(Default)]
struct Waiting {
    keys: Mutex<HashSet<String>>,
    removed: Condvar,
}

impl Waiting {
    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, key: &str) {
        self.keys().remove(key);
        self.removed.notify_all();
    }
}

impl Deleter {
    pub(super) fn start(client: Arc<Client>) -> io::Result<Self> {
        let (queue, keys) = sync_channel(MAX_WAITING);
        let waiting = Arc::<Waiting>::default();
        let shared = Arc::clone(&waiting);
        thread::Builder::new()
            .name("delete-pictures".into())
            .spawn(move || delete_all(&client, &keys, &shared))?;
        Ok(Self { waiting, queue })
    }

    /// Deletes an object later.
    pub(super) fn delete(&self, key: &str) {
        if !self.waiting.keys().insert(key.to_owned()) {
            return;
        }
        if let Err(error) = self.queue.try_send(key.to_owned()) {
            self.waiting.remove(key);
            tracing::warn!(key, %error, "a picture could not be deleted: sweepmedia will find it");
        }
    }

    /// Returns whether an object waits for its deletion.
    pub(super) fn is_deleting(&self, key: &str) -> bool {
        self.waiting.keys().contains(key)
    }

    /// Returns the keys of the objects that wait for their deletion.
    pub(super) fn keys(&self) -> HashSet<String> {
        self.waiting.keys().clone()
    }

    /// Waits for the deletion of an object, before its key is used again.
    pub(super) fn finish(&self, key: &str) {
        let is_waiting = |keys: &mut HashSet<String>| keys.contains(key);
        let finished = self.waiting.removed.wait_while(self.waiting.keys(), is_waiting);
        drop(finished);
    }

    /// Waits for all deletions, at most for this time, and returns the number of those that are left.
    pub(super) fn finish_all(&self, within: Duration) -> usize {
        let is_waiting = |keys: &mut HashSet<String>| !keys.is_empty();
        let waited = self
            .waiting
            .removed
            .wait_timeout_while(self.waiting.keys(), within, is_waiting);
        let (keys, _) = waited.unwrap_or_else(PoisonError::into_inner);
        keys.len()
    }
}

impl Drop for Deleter {
    fn drop(&mut self) {
        self.finish_all(MAX_WAIT);
    }
}

fn delete_all(client: &Client, keys: &Receiver<String>, waiting: &Waiting) {
    for key in keys {
        if let Err(error) = delete_patiently(client, &key) {
            tracing::warn!(key, %error, "a picture could not be deleted: sweepmedia will find it");
        }
        waiting.remove(&key);
    }
}

/// Deletes an object, with further attempts while the store is not available.
fn delete_patiently(client: &Client, key: &str) -> Result<(), RequestError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match delete(client, key) {
            Err(error) if error.is_temporary() => thread::sleep(pause),
            deleted => return deleted,
        }
        pause = MAX_PAUSE.min(pause * 2);
    }
    delete(client, key)
}

/// Deletes an object; does nothing if it does not exist.
pub(super) fn delete(client: &Client, key: &str) -> Result<(), RequestError> {
    let action = DeleteObject::new(client.bucket(), Some(client.credentials()), key);
    client.send(action, &[], None).map(drop)
}
