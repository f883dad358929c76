//! How much memory the node uses, against `maxmemory`.
//!
//! Each shard knows its own account exactly and at any time, and puts it on a board that all shards read,
//! in a cache line of its own. Accounts are signed: shards free what others took. The limit is the
//! node's: what counts is the sum, in which a shard takes the others' places as they stood at the
//! beginning of its turn and its own account as it is. So no
//! budget is dealt out that one shard could lack while another has it to spare, and a client is told
//! the same wherever its keys are. The price is that shards which fill up at the same moment may each
//! go on until the end of their turn.
//!
//! While there is no limit nothing is counted and nothing put on the board.

use std::sync::atomic::{AtomicI64, Ordering};

use stoa_keyspace::Keyspace;
use stoa_stdx::ShardId;

use crate::Node;

/// Shards that have a place on the board. The accounts of others are not seen by their neighbours.
const SHARDS_MAX: usize = 1_024;

/// What a client is told whose command could need more memory while there is none.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// The accounts of all shards, bytes.
#[derive(Debug)]
pub struct MemoryBoard(Box<[Place]>);

/// One of them, alone in its cache line: others read it while its shard writes.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Place(AtomicI64);

impl Default for MemoryBoard {
    fn default() -> Self {
        Self((0..SHARDS_MAX).map(|_| Place::default()).collect())
    }
}

impl MemoryBoard {
    pub(crate) fn put(&self, shard: ShardId, bytes: i64) {
        if let Some(Place(place)) = self.0.get(usize::from(shard.0)) {
            place.store(bytes, Ordering::Release);
        }
    }

    pub(crate) fn others(&self, shard: ShardId, shards: u16) -> i64 {
        let places = self.0.iter().take(usize::from(shards)).enumerate();
        let others = places.filter(|(at, _)| *at != usize::from(shard.0));
        others.map(|(_, Place(place))| place.load(Ordering::Acquire)).sum()
    }
}

/// What one shard knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// What the others use, as far as they have said.
    others: i64,
    /// What copies under way here will take yet. Whoever asks finds it taken, so that what is admitted
    /// while they go on is what would be if they had been made at once.
    owed: i64,
    /// There was none left when the command that runs was admitted. Scripts go by that: what a script has
    /// begun is not stopped half way.
    pub is_out: bool,
}

impl Memory {
    /// A copy began that will take so many bytes, or took some of them, or is made.
    pub const fn owe(&mut self, bytes: i64) {
        self.owed += bytes;
    }
}

impl Node {
    /// What this thread has taken from the allocator and not given back, where that can be asked.
    #[must_use]
    pub fn allocated(&self) -> Option<i64> {
        (self.facts.world.thread_allocated)()
    }

    /// How much more that is than it was; nothing where it cannot be asked.
    #[must_use]
    pub fn allocated_since(&self, before: Option<i64>) -> i64 {
        self.allocated().zip(before).map_or(0, |(now, before)| now - before)
    }

    /// What this shard uses, as `maxmemory` counts it: of the allocator's account the part that holds
    /// something, and slots, which come from elsewhere. Room between keys is there to be used, by keys of
    /// this shard.
    #[must_use]
    pub fn memory_used(&self, keyspace: &Keyspace) -> i64 {
        let used = keyspace.used_bytes() as i64;
        let (idle, slots) = (keyspace.idle_bytes() as i64, keyspace.slots_bytes() as i64);
        self.allocated().map_or(used, |allocated| allocated - idle + slots) + self.memory.owed
    }

    /// Looks at the board, at the beginning of a turn.
    pub fn look_at_memory(&mut self) {
        self.memory.others = self.facts.memory.others(self.shard, self.shards);
    }

    /// Puts this shard's account on the board, at the end of a turn.
    pub fn tell_memory(&self, keyspace: &Keyspace) {
        self.facts.memory.put(self.shard, self.memory_used(keyspace));
    }

    /// Whether there was no memory left when the command that runs was admitted.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        self.config.maxmemory > 0 && self.memory.is_out
    }

    /// Whether the node uses more than it may.
    pub fn weigh_memory(&mut self, keyspace: &Keyspace) -> bool {
        let limit = self.config.maxmemory;
        let used = || u64::try_from(self.memory.others + self.memory_used(keyspace)).unwrap_or(0);
        self.memory.is_out = limit > 0 && used() > limit;
        self.memory.is_out
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::ShardId;

    use super::MemoryBoard;

    #[test]
    fn a_shard_sees_what_all_others_have_said() {
        let board = MemoryBoard::default();
        for shard in 0..4 {
            board.put(ShardId(shard), 10_i64.pow(u32::from(shard)));
        }
        assert_eq!(board.others(ShardId(2), 4), 1_011);
        assert_eq!(board.others(ShardId(0), 1), 0, "it is alone");
        board.put(ShardId(3), 5);
        assert_eq!(board.others(ShardId(2), 4), 16);
        board.put(ShardId(1), -11);
        assert_eq!(board.others(ShardId(2), 4), -5, "it freed what others took");
    }
}
