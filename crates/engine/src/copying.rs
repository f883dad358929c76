//! Copying a value, which is put off when it takes long: COPY of ten million elements must not hold its
//! shard for a third of a second.
//!
//! A command that asks for a copy gets it at once if it is small. Otherwise it says nothing and ends;
//! its shard holds its keys as for a transaction, copies in portions between other work, and runs the
//! command again with the copy at hand. Nobody sees its keys meanwhile, so it happens at the moment at
//! which it was asked for. Inside a transaction or a script the copy is made whole at once: what runs
//! there runs through.

use stoa_command::ReplyError;
use stoa_keyspace::{Copying, Owned};
use stoa_stdx::{DbIndex, Key};

use crate::{Blocking, Ctx, Job, OUT_OF_MEMORY};

/// Bytes that are copied at a time: some 25 µs.
pub const COPY_LEN: usize = 64 << 10;

/// A copy that goes on after the command that wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCopy {
    /// Where the original is.
    pub db: DbIndex,
    /// Its key.
    pub key: Vec<u8>,
    /// What is copied so far.
    pub copying: Copying,
    /// Bytes that it will take yet: counted as taken, for whoever asks whether there is memory left.
    pub owes: i64,
}

impl Ctx<'_> {
    /// The copy that this command asked for when it ran before.
    pub fn copied(&mut self) -> Option<Owned> {
        self.node.copied.take().map(|owned| *owned)
    }

    /// A copy of what `key` of the client's database holds. None without a key, or if it takes long:
    /// then the command changes and says nothing, and runs again (see [`Ctx::copied`]).
    ///
    /// # Errors
    /// It takes long, and what is copied already will take the memory that was left when the command
    /// was admitted.
    pub fn copy(&mut self, key: &Key<'_>) -> Result<Option<Owned>, ReplyError> {
        let may_wait = self.blocking != Blocking::Denied;
        let len = if may_wait { self.node.copy_len } else { usize::MAX };
        let (now, db) = (self.now, self.session().db);
        let mut from = self.keyspace.db(db, now, false);
        let Some(from) = from.peek(key) else { return Ok(None) };
        let bytes = from.bytes() as i64;
        let before = self.node.allocated();
        let mut copying = Copying::begin(from.value());
        // No bytes at all: the simulator wants it to take long.
        if len > 0 && !copying.go_on(from.value(), len) {
            return Ok(Some(from.with_value(copying)));
        }
        let owes = (bytes - self.node.allocated_since(before)).max(0);
        if self.node.weigh_memory(self.keyspace) {
            return Err(ReplyError::Text(OUT_OF_MEMORY));
        }
        let key = key.bytes.to_vec();
        self.blocking = Blocking::Until(Job::Copy(Box::new(SlowCopy { db, key, copying, owes })));
        Ok(None)
    }
}
