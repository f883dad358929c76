//! Sockets that other threads of the process bring to a shard, as if it had accepted them.
//!
//! For adapters: a thread that translates another protocol makes a pair of sockets, keeps one end and
//! brings the other here with the address of the client it speaks for. From then on that client is
//! one like any other, with its limits, its place in the list of clients and its pressure back; no
//! message type, no lock in a pass and no second way into the shard is needed. It costs two
//! descriptors and a copy through the kernel for each such client, and a busy shard one load of an
//! atomic a turn.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::park::Shared;
use crate::service::{Peer, Unlinked};

/// What another thread brings.
pub(crate) enum Guest {
    /// A connected socket, and who speaks through it.
    Client { socket: OwnedFd, peer: Peer },
    /// What came of a connection that the shard asked for.
    Linked { tag: u64, linked: Result<OwnedFd, Unlinked> },
}

/// Where one shard's guests wait.
#[derive(Default)]
pub(crate) struct Hall {
    guests: Mutex<Vec<Guest>>,
    /// Looked at every turn, so that the lock is taken only if somebody is there.
    has_guests: AtomicBool,
}

impl Hall {
    pub(crate) fn has_guests(&self) -> bool {
        // Whoever rang has fenced after storing, and a shard about to sleep fences before it looks.
        self.has_guests.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Vec<Guest> {
        if !self.has_guests() {
            return Vec::new();
        }
        let mut guests = self.lock();
        self.has_guests.store(false, Ordering::Release);
        std::mem::take(&mut guests)
    }

    pub(crate) fn put(&self, guest: Guest) {
        let mut guests = self.lock();
        guests.push(guest);
        self.has_guests.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Guest>> {
        // A push or a take either happened or did not: a panic in between spoils nothing.
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings sockets to the shards of a running node, to each in turn.
#[derive(Clone)]
pub struct Entrance {
    shared: Arc<Shared>,
}

impl Entrance {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Hands over `socket`, connected and blocking, on behalf of `peer`.
    ///
    /// # Errors
    /// When the node is going down: it takes nobody in then.
    pub fn bring(&self, socket: OwnedFd, peer: Peer) -> io::Result<()> {
        if self.shared.is_stopping() {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the server is stopping"));
        }
        let shard = self.shared.next_hall();
        self.shared.hall(shard).put(Guest::Client { socket, peer });
        self.shared.bell(shard).wake();
        Ok(())
    }
}

impl std::fmt::Debug for Entrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entrance")
    }
}
