//! Which shard owns a slot, or a key.

pub use stoa_stdx::{first_slot, owner_of};

use stoa_stdx::{ShardId, key_slot};

use crate::Shard;

impl Shard {
    /// The shard that owns `key`.
    pub(crate) fn owner_of_key(&self, key: &[u8]) -> ShardId {
        owner_of(key_slot(key), self.node.shards)
    }
}
