//! Whether a shard sleeps, agreed upon without a lock.
//!
//! The sleeper says so, fences, and looks at its mailboxes once more; a sender pushes, fences, and
//! looks here. One of the two fences comes first, so either the sleeper sees the message or the
//! sender sees the sleeper. With weaker orders both may miss each other, and the shard would sleep
//! on a full mailbox.

use crate::sync::{AtomicBool, Ordering, fence};

/// Alone on its cache lines: senders look at it after every batch.
#[repr(align(128))]
pub(crate) struct Parked(AtomicBool);

impl Parked {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Says that the owner is about to sleep. It must look at everything again afterwards.
    pub(crate) fn park(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The owner is awake.
    pub(crate) fn unpark(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the owner must be rung now; true for one of those who ask. What it is to see must
    /// have been stored before.
    pub(crate) fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}
