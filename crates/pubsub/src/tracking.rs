//! Who caches what: the tables of client-side caching, as plain data.
//!
//! Three tables, as for channels. *Who read this key of ours?* ([`Readers`]; the owner of a key keeps it,
//! a client stands there once a key until it is told that the key changed. Nobody takes a client out that
//! left or switched tracking off: its home finds nobody to tell, and the row goes with the next change,
//! as in the reference.) *Which shards have clients that want to hear of every key of a prefix?*
//! ([`Prefixes`]; every shard holds a copy, and gathers here what changed until it is told.) *Who are
//! these clients?* ([`Listeners`]; their home keeps it.)
//!
//! A key is known by its name alone, whatever database it is in, as in the reference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_stdx::ShardId;

use crate::Name;

/// Who read which key.
///
/// Rows stand in a list, so that one can be taken by chance, with an index by key beside it.
#[derive(Debug, Default)]
pub struct Readers {
    rows: Rows,
    places: Places,
    items: usize,
    /// Forgotten, and still to be freed.
    dropped: Vec<(Rows, Places)>,
}

type Rows = Vec<(Name, Vec<u64>)>;
type Places = BTreeMap<Name, u32>;

impl Readers {
    /// Client `client` has read `key`. False if that was known.
    pub fn add(&mut self, key: &[u8], client: u64) -> bool {
        let place = match self.places.get(key) {
            Some(place) => *place as usize,
            None => {
                let name = Name::from(key);
                self.places.insert(Arc::clone(&name), self.rows.len() as u32);
                self.rows.push((name, Vec::new()));
                self.rows.len() - 1
            }
        };
        let clients = &mut self.rows[place].1;
        let Err(at) = clients.binary_search(&client) else { return false };
        clients.insert(at, client);
        self.items += 1;
        true
    }

    /// Whether anybody has read `key`.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        !self.places.is_empty() && self.places.contains_key(key)
    }

    /// Forgets `key`; gives who had read it, in the order of their numbers.
    pub fn take(&mut self, key: &[u8]) -> Vec<u64> {
        let Some(place) = self.places.remove(key) else { return Vec::new() };
        let (_, clients) = self.rows.swap_remove(place as usize);
        if let Some((moved, _)) = self.rows.get(place as usize) {
            *self.places.get_mut(moved).expect("every row has its place") = place;
        }
        self.items -= clients.len();
        clients
    }

    /// The key of the row that `chance` falls on; None if there are none.
    #[must_use]
    pub fn any(&self, chance: u64) -> Option<Name> {
        let at = chance.checked_rem(self.rows.len() as u64)?;
        Some(Arc::clone(&self.rows[at as usize].0))
    }

    /// Forgets all keys. Their memory goes with [`Readers::free_some`].
    pub fn clear(&mut self) {
        if !self.rows.is_empty() {
            let gone = (std::mem::take(&mut self.rows), std::mem::take(&mut self.places));
            self.dropped.push(gone);
            self.items = 0;
        }
    }

    /// Frees a portion of what was forgotten. True if there is more.
    pub fn free_some(&mut self, portion: usize) -> bool {
        let Some((rows, places)) = self.dropped.last_mut() else { return false };
        rows.truncate(rows.len().saturating_sub(portion));
        for _ in 0..portion {
            places.pop_first();
        }
        if rows.is_empty() && places.is_empty() {
            self.dropped.pop();
        }
        !self.dropped.is_empty()
    }

    /// How many keys somebody has read.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many pairs of key and client there are.
    #[must_use]
    pub const fn items(&self) -> usize {
        self.items
    }
}

/// Who changed a key since it was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This client alone: it need not hear of it if it does not want to (NOLOOP).
    Only(u64),
    /// Several, or nobody that tracks.
    Others,
}

impl By {
    /// By `client`; 0 is nobody that tracks.
    #[must_use]
    pub const fn client(client: u64) -> Self {
        if client == 0 { Self::Others } else { Self::Only(client) }
    }

    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(one), Self::Only(two)) if one == two => self,
            (_, _) => Self::Others,
        }
    }
}

/// Keys that changed, in order, and by whom.
pub type Changed = BTreeMap<Name, By>;

/// Which prefixes are listened to, where, and what changed under each.
#[derive(Debug, Default)]
pub struct Prefixes {
    rows: BTreeMap<Name, PrefixRow>,
    /// How many prefixes have each length: a key is looked up once a length, not once a prefix.
    lens: BTreeMap<usize, usize>,
    has_changed: bool,
}

#[derive(Debug, Default)]
struct PrefixRow {
    shards: BTreeSet<ShardId>,
    changed: Changed,
}

impl Prefixes {
    /// Shard `shard` has clients that listen to `prefix`, or no longer.
    pub fn set(&mut self, prefix: &[u8], shard: ShardId, listens: bool) {
        if listens {
            if !self.rows.contains_key(prefix) {
                *self.lens.entry(prefix.len()).or_default() += 1;
                self.rows.insert(prefix.into(), PrefixRow::default());
            }
            self.rows.get_mut(prefix).expect("just added").shards.insert(shard);
            return;
        }
        let Some(row) = self.rows.get_mut(prefix) else { return };
        row.shards.remove(&shard);
        if row.shards.is_empty() {
            self.rows.remove(prefix);
            let count = self.lens.get_mut(&prefix.len()).expect("it was counted");
            *count -= 1;
            if *count == 0 {
                self.lens.remove(&prefix.len());
            }
        }
    }

    /// Notes that `key` changed, if anybody wants to know.
    pub fn changed(&mut self, key: &[u8], by: By) {
        let Self { rows, lens, has_changed } = self;
        for len in lens.keys().take_while(|len| **len <= key.len()) {
            let Some(row) = rows.get_mut(&key[..*len]) else { continue };
            *has_changed = true;
            match row.changed.get_mut(key) {
                Some(before) => *before = before.and(by),
                None => drop(row.changed.insert(key.into(), by)),
            }
        }
    }

    /// Whether anything changed that was not taken yet.
    #[must_use]
    #[inline]
    pub const fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// What changed under each prefix since the last time, and which shards are to hear of it.
    pub fn take_changed(&mut self) -> Vec<(Name, Vec<ShardId>, Changed)> {
        self.has_changed = false;
        let rows = self.rows.iter_mut().filter(|(_, row)| !row.changed.is_empty());
        rows.map(|(prefix, row)| {
            let shards = row.shards.iter().copied().collect();
            (Arc::clone(prefix), shards, std::mem::take(&mut row.changed))
        })
        .collect()
    }

    /// How many prefixes are listened to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// The clients of one shard that listen to prefixes, by number.
#[derive(Debug, Default)]
pub struct Listeners {
    rows: BTreeMap<Name, BTreeSet<u64>>,
}

impl Listeners {
    /// Client `client` listens to `prefix`. The name, if it is the first here.
    pub fn add(&mut self, prefix: &[u8], client: u64) -> Option<Name> {
        if let Some(clients) = self.rows.get_mut(prefix) {
            clients.insert(client);
            return None;
        }
        let name = Name::from(prefix);
        self.rows.insert(Arc::clone(&name), BTreeSet::from([client]));
        Some(name)
    }

    /// Client `client` listens to `prefix` no more. The name, if it was the last here.
    pub fn remove(&mut self, prefix: &[u8], client: u64) -> Option<Name> {
        let clients = self.rows.get_mut(prefix)?;
        clients.remove(&client);
        if clients.is_empty() { self.rows.remove_entry(prefix).map(|(name, _)| name) } else { None }
    }

    /// Who listens to `prefix`.
    pub fn of(&self, prefix: &[u8]) -> impl Iterator<Item = u64> + '_ {
        self.rows.get(prefix).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use stoa_stdx::{Rng, ShardId};

    use super::{By, Listeners, Prefixes, Readers};

    #[test]
    fn readers_are_as_a_map_of_sets_would_have_them() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut readers = Readers::default();
            let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
            for step in 0..300 {
                let case = format!("seed {seed}, step {step}");
                let key = format!("k{}", rng.below(12)).into_bytes();
                match rng.below(10) {
                    0..6 => {
                        let client = rng.below(6);
                        let new = model.entry(key.clone()).or_default().insert(client);
                        assert_eq!(readers.add(&key, client), new, "{case}");
                    }
                    6..9 => {
                        let want = model.remove(&key).unwrap_or_default();
                        assert_eq!(readers.take(&key), Vec::from_iter(want), "{case}");
                    }
                    _ if rng.one_in(20) => {
                        readers.clear();
                        model.clear();
                    }
                    _ => {
                        let any = readers.any(rng.next());
                        assert_eq!(any.is_none(), model.is_empty(), "{case}");
                        assert!(any.is_none_or(|key| model.contains_key(&*key)), "{case}");
                    }
                }
                assert_eq!(readers.has(&key), model.contains_key(&key), "{case}");
                let items: usize = model.values().map(BTreeSet::len).sum();
                assert_eq!((readers.len(), readers.items()), (model.len(), items), "{case}");
            }
        }
    }

    #[test]
    fn what_changed_is_told_under_every_prefix_that_fits_and_once() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut prefixes = Prefixes::default();
            let mut model: BTreeSet<(Vec<u8>, ShardId)> = BTreeSet::new();
            let mut changed: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u64>> = BTreeMap::new();
            let word = |rng: &mut Rng| -> Vec<u8> {
                (0..rng.below(4)).map(|_| b"ab"[rng.below(2) as usize]).collect()
            };
            for step in 0..200 {
                let case = format!("seed {seed}, step {step}");
                let (text, shard) = (word(&mut rng), ShardId(rng.below(3) as u16));
                match rng.below(4) {
                    0 => {
                        let listens = rng.one_in(2);
                        prefixes.set(&text, shard, listens);
                        if listens {
                            model.insert((text.clone(), shard));
                        } else {
                            model.remove(&(text.clone(), shard));
                        }
                        let is_heard = model.iter().any(|(prefix, _)| *prefix == text);
                        changed.retain(|(prefix, _), _| *prefix != text || is_heard);
                    }
                    1 => {
                        let mut want = std::mem::take(&mut changed);
                        for (prefix, shards, keys) in prefixes.take_changed() {
                            let of_prefix = model.iter().filter(|(of, _)| **of == *prefix);
                            let want_shards: Vec<_> = of_prefix.map(|(_, shard)| *shard).collect();
                            assert_eq!(shards, want_shards, "{case}");
                            for (key, by) in keys {
                                let row = (prefix.to_vec(), key.to_vec());
                                let mut who = want.remove(&row).expect(&case);
                                who.dedup();
                                let want_by = match who.as_slice() {
                                    [client] if *client > 0 => By::Only(*client),
                                    _ => By::Others,
                                };
                                assert_eq!(by, want_by, "{case}");
                            }
                        }
                        assert_eq!(want, BTreeMap::new(), "{case}: nothing is left out");
                    }
                    _ => {
                        let by = rng.below(3);
                        prefixes.changed(&text, By::client(by));
                        let heard: BTreeSet<_> = model.iter().map(|(prefix, _)| prefix).collect();
                        for prefix in heard.into_iter().filter(|it| text.starts_with(it)) {
                            changed.entry((prefix.clone(), text.clone())).or_default().push(by);
                        }
                    }
                }
                let distinct: BTreeSet<_> = model.iter().map(|(prefix, _)| prefix).collect();
                assert_eq!(prefixes.len(), distinct.len(), "{case}");
            }
        }
    }

    #[test]
    fn the_first_and_the_last_listener_of_a_prefix_are_told_apart() {
        let mut listeners = Listeners::default();
        assert!(listeners.add(b"a", 2).is_some());
        assert!(listeners.add(b"a", 1).is_none());
        assert!(listeners.add(b"", 1).is_some());
        assert_eq!(listeners.of(b"a").collect::<Vec<_>>(), [1, 2]);
        assert!(listeners.remove(b"a", 2).is_none());
        assert_eq!(listeners.remove(b"a", 1).as_deref(), Some(&b"a"[..]));
        assert!(listeners.remove(b"a", 1).is_none());
        assert_eq!(listeners.of(b"").collect::<Vec<_>>(), [1]);
    }
}
