//! How a shard sleeps and how others wake it.
//!
//! Sleeping is a promise to look again. The sleeper says `parked`, fences, looks at its mailboxes
//! once more, and only then waits for its eventfd; a sender pushes, fences, and writes the eventfd
//! only if it sees `parked`. One of the two fences comes first, so either the sleeper sees the
//! message or the sender sees the sleeper. A busy shard is thus woken by no system call at all.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use stoa_stdx::ShardId;

/// What all shards of a node and its stop handle share.
pub(crate) struct Shared {
    bells: Box<[Bell]>,
    stop: AtomicBool,
    /// Shards that have nothing left to do while stopping.
    quiet: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(shards: u16) -> io::Result<Self> {
        let bells = (0..shards).map(|_| Bell::new()).collect::<io::Result<_>>()?;
        Ok(Self { bells, stop: AtomicBool::new(false), quiet: AtomicUsize::new(0) })
    }

    pub(crate) fn bell(&self, shard: ShardId) -> &Bell {
        &self.bells[usize::from(shard.0)]
    }

    /// Asks every shard to finish. May be called from any thread, any number of times.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        for bell in &self.bells {
            bell.ring();
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn enter_quiet(&self) {
        self.quiet.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn leave_quiet(&self) {
        self.quiet.fetch_sub(1, Ordering::SeqCst);
    }

    /// A shard is quiet only once its receivers have taken all it sent, and a receiver leaves
    /// quiet before it takes; so when all are quiet at one moment, no message is under way.
    pub(crate) fn all_quiet(&self) -> bool {
        self.quiet.load(Ordering::SeqCst) == self.bells.len()
    }
}

/// Wakes one shard.
pub(crate) struct Bell {
    fd: OwnedFd,
    parked: Parked,
}

/// Alone on its cache lines: senders look at it after every batch.
#[repr(align(128))]
struct Parked(AtomicBool);

impl Bell {
    fn new() -> io::Result<Self> {
        // Blocking: a ring that reads it parks the read inside the kernel. Readers that must not
        // block ask for readiness first.
        let fd = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { fd, parked: Parked(AtomicBool::new(false)) })
    }

    /// Says that the owner is about to sleep. It must look at everything again afterwards.
    pub(crate) fn park(&self) {
        self.parked.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn unpark(&self) {
        self.parked.0.store(false, Ordering::Relaxed);
    }

    /// Wakes the owner if it sleeps. What it is to see must have been stored before.
    pub(crate) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.parked.0.load(Ordering::Relaxed) && self.parked.0.swap(false, Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Wakes the owner whether it sleeps or not.
    pub(crate) fn ring(&self) {
        // Fails only if the counter would overflow, and then the owner is being woken already.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Forgets earlier rings. Only after readiness was reported: it blocks otherwise.
    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mailbox::mailbox;

    #[test]
    fn no_message_is_slept_over() {
        const COUNT: u32 = if cfg!(miri) { 50 } else { 100_000 };
        let shared = Arc::new(Shared::new(1).expect("an eventfd"));
        let (mut tx, mut rx) = mailbox(4);
        let waker = Arc::clone(&shared);
        let sender = std::thread::spawn(move || {
            for n in 0..COUNT {
                while tx.push(n).is_err() {
                    std::thread::yield_now();
                }
                waker.bell(ShardId(0)).wake();
            }
        });
        // Without the second look this hangs within a few thousand messages.
        let bell = shared.bell(ShardId(0));
        let mut next = 0;
        while next < COUNT {
            while let Some(n) = rx.pop() {
                assert_eq!(n, next);
                next += 1;
            }
            bell.park();
            if next < COUNT && rx.is_empty() {
                bell.clear();
            }
            bell.unpark();
        }
        sender.join().expect("the sender does not panic");
    }
}
