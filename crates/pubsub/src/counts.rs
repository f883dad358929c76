//! How many clients of each shard listen to what: this shard's copy of the whole node's counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_stdx::{ShardId, glob_match};

use crate::{Kind, Name};

/// Listeners by name and shard.
#[derive(Debug, Default)]
pub struct Counts {
    kinds: [BTreeMap<Name, Spread>; 3],
}

/// The shards that have listeners, and how many. Few, so a list: most channels have one.
type Spread = Vec<(ShardId, u32)>;

impl Counts {
    /// The clients of `shard` that listen to `name` are `count` from now on.
    pub fn set(&mut self, kind: Kind, name: &Name, shard: ShardId, count: u32) {
        let names = &mut self.kinds[kind as usize];
        let spread = names.entry(Arc::clone(name)).or_default();
        let place = spread.binary_search_by_key(&shard, |(shard, _)| *shard);
        match (place, count) {
            (Ok(at), 0) => {
                spread.remove(at);
            }
            (Ok(at), count) => spread[at].1 = count,
            (Err(_), 0) => {}
            (Err(at), count) => spread.insert(at, (shard, count)),
        }
        if spread.is_empty() {
            names.remove(name);
        }
    }

    /// How many clients of `shard` listen to `name`.
    #[must_use]
    pub fn at(&self, kind: Kind, name: &[u8], shard: ShardId) -> u32 {
        let spread = self.kinds[kind as usize].get(name);
        let found = spread.and_then(|spread| spread.iter().find(|(there, _)| *there == shard));
        found.map_or(0, |(_, count)| *count)
    }

    /// How many clients subscribed to this very name.
    #[must_use]
    pub fn total(&self, kind: Kind, name: &[u8]) -> u64 {
        self.kinds[kind as usize].get(name).map_or(0, |spread| sum(spread))
    }

    /// How often a message on `channel` is sent to a client: one that has a pattern for it, too, gets it
    /// twice.
    #[must_use]
    pub fn listeners(&self, kind: Kind, channel: &[u8]) -> u64 {
        self.spreads(kind, channel).map(|spread| sum(spread)).sum()
    }

    /// The shards that have somebody whom a message on `channel` goes to, in order.
    #[must_use]
    pub fn shards(&self, kind: Kind, channel: &[u8]) -> Vec<ShardId> {
        let mut shards: Vec<ShardId> =
            self.spreads(kind, channel).flatten().map(|(shard, _)| *shard).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// The names that somebody subscribed to, in order.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        self.kinds[kind as usize].keys()
    }

    /// How many names somebody subscribed to.
    #[must_use]
    pub fn len(&self, kind: Kind) -> usize {
        self.kinds[kind as usize].len()
    }

    /// Whether nobody subscribed to anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(BTreeMap::is_empty)
    }

    fn spreads(&self, kind: Kind, channel: &[u8]) -> impl Iterator<Item = &Spread> {
        let patterns = (kind == Kind::Channel).then_some(&self.kinds[Kind::Pattern as usize]);
        let matching = patterns
            .into_iter()
            .flatten()
            .filter(move |(pattern, _)| glob_match(pattern, channel, false))
            .map(|(_, spread)| spread);
        self.kinds[kind as usize].get(channel).into_iter().chain(matching)
    }
}

fn sum(spread: &[(ShardId, u32)]) -> u64 {
    spread.iter().map(|(_, count)| u64::from(*count)).sum()
}
