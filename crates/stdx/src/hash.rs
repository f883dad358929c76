//! From a key to its place: the cluster slot, and the seeded hash that orders keys inside a slot.
//!
//! Two hashes on purpose. The slot is fixed by the cluster specification, so anyone can compute
//! keys that fall into one slot; the hash inside a slot is keyed, so nobody outside can choose
//! keys that fall onto one place there.

use std::hash::{BuildHasher, Hasher};

use crate::crc16::crc16;

/// Slots of a keyspace: the Redis Cluster number.
pub const SLOT_COUNT: usize = 16_384;

const _: () = assert!(SLOT_COUNT.is_power_of_two(), "a slot is taken by mask");

/// A hash slot, `0..SLOT_COUNT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);

/// The slot of `key`, with hash tags as in the Redis Cluster specification.
#[must_use]
pub fn key_slot(key: &[u8]) -> SlotId {
    SlotId(crc16(hash_tag(key)) & (SLOT_COUNT as u16 - 1))
}

fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        // `{}` is no tag: two keys with an empty tag must not be forced together.
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// A key with its place: computed once, where the request is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its slot.
    pub slot: SlotId,
    /// Its place in the slot.
    pub hash: u64,
}

/// The secret that orders keys inside a slot. All shards of a process share one, so that a key
/// keeps its hash when its slot moves.
#[derive(Clone)]
pub struct HashSeed(ahash::RandomState);

impl HashSeed {
    /// A seed from 256 random bits.
    #[must_use]
    pub fn new(seed: [u64; 4]) -> Self {
        Self(ahash::RandomState::with_seeds(seed[0], seed[1], seed[2], seed[3]))
    }

    /// `bytes` with its slot and hash.
    #[must_use]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, slot: key_slot(bytes), hash: self.hash(bytes) }
    }

    /// The keyed hash of `key`.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

impl std::fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A seed in a log would let a client choose colliding keys.
        f.write_str("HashSeed(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::{SlotId, key_slot};

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        let cases: [(&[u8], u16); 6] = [
            (b"123456789", 0x31c3),
            (b"foo", 12182),
            (b"{user1000}.following", 3443),
            (b"{user1000}.followers", 3443),
            (b"foo{}{bar}", 8363),
            (b"", 0),
        ];
        for (key, slot) in cases {
            let slot = SlotId(slot & 0x3fff);
            assert_eq!(key_slot(key), slot, "{}", String::from_utf8_lossy(key));
        }
    }
}
