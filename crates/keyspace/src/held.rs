//! Keys that transactions hold, which must not end before their time.
//!
//! A transaction on several shards happens at one moment for all its keys, and its parts run a little
//! later. A key that reaches its deadline in between is still there for it, so nobody may reclaim the
//! key meanwhile; for everybody else it is past its deadline all the same. Whoever changes a held key
//! holds it alone, and may. Keys are known by ten bits of their hashes, counted: taking another key for
//! a held one costs nothing but a later end.

/// Places of the filter.
const PLACES: usize = 1_024;

const _: () = assert!(PLACES.is_power_of_two(), "a place is taken by mask");

/// What is held.
#[derive(Debug, Default)]
pub struct Held {
    counts: Vec<u32>,
    all: u32,
    /// Keys and wholes, in sum.
    len: u32,
    /// Who runs now holds what it touches alone.
    pub alone: bool,
}

impl Held {
    /// One more holds the key of this hash.
    pub fn hold(&mut self, hash: u64) {
        if self.counts.is_empty() {
            self.counts.resize(PLACES, 0);
        }
        self.counts[hash as usize & (PLACES - 1)] += 1;
        self.len += 1;
    }

    /// One less does.
    pub fn release(&mut self, hash: u64) {
        self.counts[hash as usize & (PLACES - 1)] -= 1;
        self.len -= 1;
    }

    /// One more holds all keys.
    pub const fn hold_all(&mut self) {
        self.all += 1;
        self.len += 1;
    }

    /// One less does.
    pub const fn release_all(&mut self) {
        self.all -= 1;
        self.len -= 1;
    }

    /// Whether the key of this hash must stay though its deadline has passed.
    #[inline]
    pub(crate) fn keeps(&self, hash: u64) -> bool {
        self.len > 0 && !self.alone && (self.all > 0 || self.counts_key(hash))
    }

    /// The same for the wheel. It does not ask who holds all keys: they read at most, and a wheel that
    /// waits for them would let a count of keys depend on how many shards were asked.
    pub(crate) fn keeps_key(&self, hash: u64) -> bool {
        self.len > 0 && self.counts_key(hash)
    }

    fn counts_key(&self, hash: u64) -> bool {
        self.counts.get(hash as usize & (PLACES - 1)).is_some_and(|count| *count > 0)
    }
}
