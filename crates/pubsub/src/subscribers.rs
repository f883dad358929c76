//! Whom of this shard's clients a message goes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_stdx::{ConnId, glob_match};

use crate::{Kind, Name};

/// Clients by what they listen to.
#[derive(Debug, Default)]
pub struct Subscribers {
    kinds: [BTreeMap<Name, BTreeSet<ConnId>>; 3],
}

impl Subscribers {
    /// From now on messages go to `conn`, too.
    pub fn add(&mut self, kind: Kind, name: &Name, conn: ConnId) {
        self.kinds[kind as usize].entry(Arc::clone(name)).or_default().insert(conn);
    }

    /// From now on they do not.
    pub fn remove(&mut self, kind: Kind, name: &[u8], conn: ConnId) {
        let names = &mut self.kinds[kind as usize];
        let Some(clients) = names.get_mut(name) else { return };
        clients.remove(&conn);
        if clients.is_empty() {
            names.remove(name);
        }
    }

    /// Those who subscribed to this very channel.
    pub fn of(&self, kind: Kind, channel: &[u8]) -> impl Iterator<Item = ConnId> {
        self.kinds[kind as usize].get(channel).into_iter().flatten().copied()
    }

    /// The patterns that `channel` matches, each with its clients.
    pub fn matching(
        &self,
        channel: &[u8],
    ) -> impl Iterator<Item = (&Name, impl Iterator<Item = ConnId>)> {
        self.kinds[Kind::Pattern as usize]
            .iter()
            .filter(move |(pattern, _)| glob_match(pattern, channel, false))
            .map(|(pattern, clients)| (pattern, clients.iter().copied()))
    }
}
