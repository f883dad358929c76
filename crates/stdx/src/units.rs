//! A unit or an id is a type, so that a shard number cannot be passed for a database, nor seconds
//! for milliseconds.

/// Wall clock, milliseconds since 1970. Deadlines of keys are in this unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

/// Monotonic clock, milliseconds since an arbitrary start. Timeouts of connections are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoMs(pub u64);

/// Monotonic clock, nanoseconds since the same start as [`MonoMs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoNs(pub u64);

impl MonoNs {
    /// The same moment, cut to milliseconds.
    #[must_use]
    pub const fn ms(self) -> MonoMs {
        MonoMs(self.0 / 1_000_000)
    }
}

/// One core's world. Numbered from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One of the numbered databases (`SELECT`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u16);

/// A connection of one shard. `index` is its row, reused; `generation` tells the users of a row
/// apart, so that a late message to a closed connection finds nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// Row in the shard's connection table.
    pub index: u32,
    /// How often the row was used before.
    pub generation: u32,
}
