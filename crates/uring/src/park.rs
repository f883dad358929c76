//! What wakes a shard, and what all shards of a node share.
//!
//! A shard that sleeps waits for its eventfd. Others write it only if the shard says that it sleeps
//! (see `parked.rs`), so a busy shard is woken by no system call at all.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use stoa_stdx::ShardId;

use crate::entrance::Hall;
use crate::parked::Parked;

/// What all shards of a node and its stop handle share.
pub(crate) struct Shared {
    bells: Box<[Bell]>,
    halls: Box<[Hall]>,
    /// Counts the guests, each of whom goes to the next shard.
    guests: AtomicUsize,
    stop: AtomicBool,
    /// Shards that have nothing left to do while stopping.
    quiet: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(shards: u16) -> io::Result<Self> {
        let bells = (0..shards).map(|_| Bell::new()).collect::<io::Result<_>>()?;
        let halls = (0..shards).map(|_| Hall::default()).collect();
        let (stop, quiet) = (AtomicBool::new(false), AtomicUsize::new(0));
        Ok(Self { bells, halls, guests: AtomicUsize::new(0), stop, quiet })
    }

    /// The shard whose turn it is to take a guest.
    pub(crate) fn next_hall(&self) -> ShardId {
        ShardId((self.guests.fetch_add(1, Ordering::Relaxed) % self.halls.len()) as u16)
    }

    pub(crate) fn hall(&self, shard: ShardId) -> &Hall {
        &self.halls[usize::from(shard.0)]
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

impl Bell {
    fn new() -> io::Result<Self> {
        // Blocking: a ring that reads it parks the read inside the kernel. Readers that must not
        // block ask for readiness first.
        let fd = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { fd, parked: Parked::new() })
    }

    pub(crate) fn park(&self) {
        self.parked.park();
    }

    pub(crate) fn unpark(&self) {
        self.parked.unpark();
    }

    /// Wakes the owner if it sleeps.
    pub(crate) fn wake(&self) {
        if self.parked.must_ring() {
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
        const COUNT: u32 = 100_000;
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
