//! A bounded ring for one sender and one receiver: how a batch gets from shard to shard.
//!
//! One producer and one consumer need no lock and no retry: each index has one writer. Both sides
//! remember the other's index from the last time they looked, so that in the common case a push
//! or a pop touches no cache line that the other core writes. The price is one ring per ordered
//! pair of shards, some kilobytes each, which is why messages are boxes and not bodies.

use std::mem::MaybeUninit;

use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

/// A ring of `capacity` messages, which must be a power of two.
pub fn mailbox<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity.is_power_of_two(), "mailbox capacity {capacity} is not a power of two");
    let slots = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let ring =
        Arc::new(Ring { slots, head: Line(AtomicUsize::new(0)), tail: Line(AtomicUsize::new(0)) });
    (
        Sender { ring: Arc::clone(&ring), tail: 0, head_seen: 0 },
        Receiver { ring, head: 0, tail_seen: 0 },
    )
}

/// The end that pushes.
pub struct Sender<T> {
    ring: Arc<Ring<T>>,
    tail: usize,
    head_seen: usize,
}

/// The end that pops.
pub struct Receiver<T> {
    ring: Arc<Ring<T>>,
    head: usize,
    tail_seen: usize,
}

impl<T: Send> Sender<T> {
    /// Puts `message` in, or gives it back if the ring is full.
    pub fn push(&mut self, message: T) -> Result<(), T> {
        let capacity = self.ring.slots.len();
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen = self.ring.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == capacity {
                return Err(message);
            }
        }
        let slot = &self.ring.slots[self.tail & (capacity - 1)];
        // SAFETY: only this sender writes slots, and this slot is not the receiver's: fewer than
        // `capacity` messages lie between the head it published (read with Acquire, so its read of
        // the old message happened before) and our tail, so index `tail` is free until the store
        // to `tail` below publishes it.
        slot.with_mut(|slot| unsafe { (*slot).write(message) });
        self.tail = self.tail.wrapping_add(1);
        self.ring.tail.0.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// Whether the receiver has taken everything that was pushed.
    pub fn is_drained(&self) -> bool {
        self.ring.head.0.load(Ordering::Acquire) == self.tail
    }
}

impl<T: Send> Receiver<T> {
    /// Takes the oldest message.
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen && self.is_empty() {
            return None;
        }
        let slot = &self.ring.slots[self.head & (self.ring.slots.len() - 1)];
        // SAFETY: `head != tail_seen`, and `tail_seen` was read with Acquire after the sender
        // wrote this slot, so the slot is initialised; it is read once, because `head` moves on
        // and the sender does not write it again before the store to `head` below.
        let message = slot.with_mut(|slot| unsafe { (*slot).assume_init_read() });
        self.head = self.head.wrapping_add(1);
        self.ring.head.0.store(self.head, Ordering::Release);
        Some(message)
    }

    /// Whether nothing waits. Looks at the sender's index, which costs a cache miss if it moved.
    pub fn is_empty(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.ring.tail.0.load(Ordering::Acquire);
        }
        self.head == self.tail_seen
    }
}

struct Ring<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// Next to pop; written by the receiver.
    head: Line,
    /// Next to push; written by the sender.
    tail: Line,
}

/// An index alone on its cache lines: two, because processors fetch them in pairs.
#[repr(align(128))]
struct Line(AtomicUsize);

// SAFETY: the ring hands each message from one thread to the other once (proofs in `push` and
// `pop`), which is what `T: Send` allows; no `&T` is ever shared. `Sender` and `Receiver` are not
// `Clone` and take `&mut self`, so each side is one thread at a time.
unsafe impl<T: Send> Sync for Ring<T> {}
// SAFETY: the slots own their messages, which are `Send`.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let mut head = self.head.0.load(Ordering::Acquire);
        let tail = self.tail.0.load(Ordering::Acquire);
        while head != tail {
            let slot = &self.slots[head & (self.slots.len() - 1)];
            // SAFETY: both ends are gone (we have `&mut self`), and what lies between the two
            // published indexes was written and not read.
            slot.with_mut(|slot| unsafe { (*slot).assume_init_drop() });
            head = head.wrapping_add(1);
        }
    }
}
