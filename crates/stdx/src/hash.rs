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
    if !has_brace(key) {
        return key;
    }
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        // `{}` is no tag: two keys with an empty tag must not be forced together.
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// Whether a tag may begin somewhere: eight bytes at a time, for nearly every key has none.
#[inline]
fn has_brace(key: &[u8]) -> bool {
    const BRACES: u64 = u64::from_ne_bytes([b'{'; 8]);
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Some byte of `zeros` is zero where the word has a brace (Mycroft's test).
    let has = |word: &[u8; 8]| {
        let zeros = u64::from_ne_bytes(*word) ^ BRACES;
        zeros.wrapping_sub(LOW) & !zeros & HIGH != 0
    };
    match key.last_chunk::<8>() {
        Some(last) => has(last) || key.as_chunks::<8>().0.iter().any(has),
        None => key.contains(&b'{'),
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
    use super::{SlotId, has_brace, key_slot};
    use crate::Rng;

    #[test]
    fn a_brace_is_seen_wherever_it_stands() {
        let mut rng = Rng::new(1);
        for len in 0..40 {
            for _ in 0..200 {
                let mut key: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
                assert_eq!(has_brace(&key), key.contains(&b'{'), "{key:?}");
                // Neighbours of the sought byte are what such a test may take for it.
                key.iter_mut().for_each(|byte| *byte = b'z' + rng.below(3) as u8);
                assert_eq!(has_brace(&key), key.contains(&b'{'), "{key:?}");
            }
        }
    }

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
