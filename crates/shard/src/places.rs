//! Keys of a request that stand at fixed distances from one argument on: found and hashed once, when
//! the request is read, so that their memory can be fetched before it runs and no later step of
//! the routing looks for them again. MGET, MSET, DEL, SINTER and most other commands of several keys are like that.

use stoa_command::{BeginSearch, FindKeys, KeyFlags, Spec};
use stoa_engine::Table;
use stoa_keyspace::Keyspace;
use stoa_stdx::{DbIndex, HashSeed, Key, ShardId, SlotId, owner_of};

/// Keys whose memory is fetched together: enough to overlap misses, few enough to stay in L1.
pub(crate) const STAGE_LEN: usize = 32;

/// Where such keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stride {
    first: usize,
    /// From the end of the request, which is 1.
    last_from_end: usize,
    step: usize,
}

/// One key of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which argument it is.
    pub(crate) at: u32,
    pub(crate) owner: ShardId,
    pub(crate) spot: Spot,
}

/// Where a key is at its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) slot: SlotId,
    pub(crate) hash: u64,
}

/// How a request found its owner.
#[derive(Clone, Copy)]
pub(crate) enum Routed<'a> {
    /// Not by a key; or its keys are looked for again by whoever runs it.
    No,
    /// By its only key, which is this argument.
    Only(Key<'a>, u8),
    /// By the first of its keys, which is this argument.
    By(Key<'a>, u8),
    /// By those of these keys that the owner has.
    At(&'a [Place], ShardId),
}

/// The strides of all commands, by index.
pub(crate) fn strides(table: &Table) -> Vec<Option<Stride>> {
    table.entries().iter().map(|entry| stride(&entry.spec)).collect()
}

fn stride(spec: &Spec) -> Option<Stride> {
    let [keys] = spec.keys else { return None };
    if spec.more_keys.is_some() || keys.flags.has(KeyFlags::NOT_KEY) {
        return None;
    }
    match (keys.begin, keys.find) {
        (BeginSearch::Index(first), FindKeys::Range { last, step, limit: 0 | 1 }) if last < 0 => {
            let last_from_end = last.unsigned_abs() as usize;
            Some(Stride { first, last_from_end, step: step.max(1) })
        }
        _ => None,
    }
}

impl Stride {
    /// Adds the places of the keys of a request of `argc` arguments; `arg` gives its bytes. Says how many.
    #[inline]
    pub(crate) fn find<'a>(
        self,
        argc: usize,
        arg: impl Fn(usize) -> &'a [u8],
        seed: &HashSeed,
        shards: u16,
        into: &mut Vec<Place>,
    ) -> usize {
        let before = into.len();
        let end = (argc + 1).saturating_sub(self.last_from_end);
        into.extend((self.first..end).step_by(self.step).map(|at| {
            let Key { slot, hash, .. } = seed.key(arg(at));
            Place { at: at as u32, owner: owner_of(slot, shards), spot: Spot { slot, hash } }
        }));
        into.len() - before
    }
}

/// Fetches the memory of keys ahead of their use: slots, then tables, then entries, so that the misses
/// of many keys overlap.
pub(crate) fn prefetch(keyspace: &Keyspace, db: DbIndex, spots: &[Spot]) {
    keyspace.prefetch(db, spots.iter().map(|spot| (spot.slot, spot.hash)));
}
