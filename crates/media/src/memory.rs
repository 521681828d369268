//! The memory of pictures that are decoded at the same time, in pixels.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number of pixels that pictures share.
#[derive(Debug)]
pub(crate) struct Memory {
    max_pixels: u64,
    reserved: Mutex<u64>,
    /// Held while a picture waits. Later pictures wait behind it, so that small ones do not overtake it for ever.
    turn: Mutex<()>,
    released: Condvar,
}

/// The pixels of one picture, given back when this is dropped.
pub(crate) struct Reservation<'a> {
    memory: &'a Memory,
    pixels: u64,
}

impl Memory {
    pub(crate) fn new(max_pixels: u64) -> Self {
        Self {
            max_pixels,
            reserved: Mutex::default(),
            turn: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// Waits until there is memory for this many pixels, and reserves it. A picture with more than the maximum waits
    /// until no other is decoded.
    pub(crate) fn reserve(&self, pixels: u64) -> Reservation<'_> {
        let pixels = pixels.min(self.max_pixels);
        let _turn = lock(&self.turn);
        let is_full = |reserved: &mut u64| *reserved + pixels > self.max_pixels;
        let reserved = self.released.wait_while(lock(&self.reserved), is_full);
        *reserved.unwrap_or_else(PoisonError::into_inner) += pixels;
        Reservation { memory: self, pixels }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        *lock(&self.memory.reserved) -= self.pixels;
        self.memory.released.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn pictures_that_fit_together_are_reserved_at_once() {
        let memory = Memory::new(40);
        let (_small, _large) = (memory.reserve(15), memory.reserve(25));
        assert_eq!(*lock(&memory.reserved), 40);
    }

    #[test]
    fn picture_without_memory_waits_and_is_not_overtaken() {
        let memory = Memory::new(40);
        let first = memory.reserve(30);
        let (started, order) = mpsc::channel();
        let reserve = |pixels, name| {
            let _reserved = memory.reserve(pixels);
            started.send(name).unwrap();
        };
        thread::scope(|scope| {
            scope.spawn(|| reserve(100, "large"));
            // It has the turn as soon as it waits.
            while memory.turn.try_lock().is_ok() {
                thread::yield_now();
            }
            scope.spawn(|| reserve(40, "small"));
            assert_eq!(*lock(&memory.reserved), 30);
            assert!(order.try_recv().is_err());
            drop(first);
            assert_eq!([order.recv().unwrap(), order.recv().unwrap()], ["large", "small"]);
        });
        assert_eq!(*lock(&memory.reserved), 0);
    }
}
