//! What each client of this shard subscribed to.
//!
//! Ordered sets, so that UNSUBSCRIBE without arguments goes through them in the same order on every
//! run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_stdx::ConnId;

use crate::{Kind, Name};

/// Subscriptions by client.
#[derive(Debug, Default)]
pub struct Memberships {
    clients: BTreeMap<ConnId, [BTreeSet<Name>; 3]>,
}

impl Memberships {
    /// Adds one; None if it was there.
    pub(crate) fn add(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> Option<Name> {
        let names = &mut self.clients.entry(conn).or_default()[kind as usize];
        if names.contains(name) {
            return None;
        }
        let name: Name = name.into();
        names.insert(Arc::clone(&name));
        Some(name)
    }

    /// Takes one away; None if it was not there.
    pub(crate) fn remove(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> Option<Name> {
        let names = self.clients.get_mut(&conn)?;
        let taken = names[kind as usize].take(name);
        if names.iter().all(BTreeSet::is_empty) {
            self.clients.remove(&conn);
        }
        taken
    }

    /// How many of each kind a client has.
    #[must_use]
    pub fn counts(&self, conn: ConnId) -> [usize; 3] {
        self.clients.get(&conn).map_or([0; 3], |names| names.each_ref().map(BTreeSet::len))
    }

    /// What a client subscribed to.
    #[must_use]
    pub fn names(&self, conn: ConnId, kind: Kind) -> Vec<Name> {
        let names = self.clients.get(&conn).map(|names| &names[kind as usize]);
        names.into_iter().flatten().cloned().collect()
    }
}
