//! Deletes pictures one after the other on a thread of its own: requests do not wait for the store, however many
//! pictures a deleted user had.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use rusty_s3::actions::DeleteObject;

use super::client::{Client, RequestError};

/// Maximum number of pictures that wait for their deletion. Further ones are left to the next sweep.
const MAX_WAITING: usize = 100_000;

/// The thread, and the keys that wait. When this is dropped, it deletes the waiting ones first.
pub(super) struct Deleter {
    waiting: Arc<Waiting>,
    queue: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
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
        let thread = thread::Builder::new()
            .name("delete-pictures".into())
            .spawn(move || delete_all(&client, &keys, &shared))?;
        Ok(Self {
            waiting,
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Deletes an object later.
    pub(super) fn delete(&self, key: &str) {
        self.waiting.keys().insert(key.to_owned());
        if let Some(Err(error)) = self.queue.as_ref().map(|queue| queue.try_send(key.to_owned())) {
            self.waiting.remove(key);
            tracing::warn!(key, %error, "a picture could not be deleted: sweepmedia will find it");
        }
    }

    /// Returns whether an object waits for its deletion.
    pub(super) fn is_deleting(&self, key: &str) -> bool {
        self.waiting.keys().contains(key)
    }

    /// Waits for the deletion of an object, before its key is used again.
    pub(super) fn finish(&self, key: &str) {
        let is_waiting = |keys: &mut HashSet<String>| keys.contains(key);
        let finished = self.waiting.removed.wait_while(self.waiting.keys(), is_waiting);
        drop(finished);
    }
}

impl Drop for Deleter {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn delete_all(client: &Client, keys: &Receiver<String>, waiting: &Waiting) {
    for key in keys {
        if let Err(error) = delete(client, &key) {
            tracing::warn!(key, %error, "a picture could not be deleted: sweepmedia will find it");
        }
        waiting.remove(&key);
    }
}

/// Deletes an object; does nothing if it does not exist.
pub(super) fn delete(client: &Client, key: &str) -> Result<(), RequestError> {
    let action = DeleteObject::new(client.bucket(), Some(client.credentials()), key);
    client.send(action, &[], None).map(drop)
}
