//! DEBUG DIGEST: one number for all keys, that any order of them gives.
//!
//! Redis's own scheme (that of 7.2 and later: before, scores had another text), so that a dataset here
//! and there can be compared: a key with its value is mixed into a SHA-1, those of a database are joined
//! by XOR, and the databases are mixed one after the other. The XOR lets every shard work for itself. It
//! takes no portions: it is for tests.

use std::fmt;

use sha1::Digest as _;
use sha1::Sha1;
use stoa_engine::Ctx;
use stoa_keyspace::{EntryRef, Type};
use stoa_stdx::{DbIndex, UnixMs, write_shortest};
use stoa_value::{Hash, ObjectRef};

/// Twenty bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Digest {
    /// Joins `bytes` so that the order does not matter.
    fn join(&mut self, bytes: &[u8]) {
        let hash = Sha1::digest(bytes);
        self.0.iter_mut().zip(hash).for_each(|(mine, theirs)| *mine ^= theirs);
    }

    /// Mixes `bytes` so that the order matters.
    fn mix(&mut self, bytes: &[u8]) {
        self.join(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine ^= theirs);
    }

    /// Type, value and whether there is a deadline; not when, which differs from server to server.
    fn value(&mut self, entry: &EntryRef<'_>, now: UnixMs) {
        let type_number: u32 = match entry.ty() {
            Type::String => 0,
            Type::List => 1,
            Type::Set => 2,
            Type::SortedSet => 3,
            Type::Hash => 4,
            Type::Stream => 6,
        };
        self.mix(&type_number.to_be_bytes());
        match entry.object() {
            None => {
                if let Ok(string) = entry.string() {
                    string.with(|bytes| self.mix(bytes));
                }
            }
            Some(ObjectRef::List(list)) => {
                list.iter().for_each(|element| element.with(|element| self.mix(element)));
            }
            Some(ObjectRef::Set(set)) => {
                set.iter().for_each(|member| member.with(|member| self.join(member)));
            }
            Some(ObjectRef::Hash(hash)) => self.hash(hash, now),
            Some(ObjectRef::SortedSet(set)) => {
                let mut text = Vec::new();
                for (member, score) in set.iter() {
                    let mut digest = Self::default();
                    member.with(|member| digest.mix(member));
                    text.clear();
                    write_shortest(&mut text, score);
                    digest.mix(&text);
                    self.join(&digest.0);
                }
            }
            Some(ObjectRef::Stream(stream)) => {
                for entry in stream.iter() {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    for (field, value) in entry.fields {
                        field.with(|field| self.mix(field));
                        value.with(|value| self.mix(value));
                    }
                }
            }
        }
        if entry.deadline().is_some() {
            self.join(b"!!expire!!");
        }
    }
}

impl Digest {
    fn hash(&mut self, hash: &Hash, now: UnixMs) {
        for (field, value, deadline) in hash.iter() {
            if deadline.is_some_and(|deadline| now > deadline) {
                continue;
            }
            let mut digest = Self::default();
            field.with(|field| digest.mix(field));
            value.with(|value| digest.mix(value));
            if deadline.is_some() {
                digest.join(b"!!hexpire!!");
            }
            self.join(&digest.0);
        }
    }
}

/// One database of one shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    keys: u64,
    digest: Digest,
}

/// Every database of this shard.
pub fn of_databases(ctx: &mut Ctx<'_>) -> Vec<Total> {
    let count = ctx.keyspace.database_count();
    (0..count).map(|index| of_database(DbIndex(index), ctx)).collect()
}

fn of_database(index: DbIndex, ctx: &mut Ctx<'_>) -> Total {
    let mut total = Total::default();
    let now = ctx.now;
    ctx.db_at(index).for_each(&mut |entry| {
        let mut digest = Digest::default();
        digest.mix(entry.key());
        digest.value(&entry, now);
        total.keys += 1;
        total.digest.join(&digest.0);
    });
    total
}

/// What all shards say, as one.
pub fn together(shards: impl Iterator<Item = Vec<Total>>) -> Digest {
    let mut databases: Vec<Total> = Vec::new();
    for shard in shards {
        databases.resize(databases.len().max(shard.len()), Total::default());
        for (sum, part) in databases.iter_mut().zip(shard) {
            sum.keys += part.keys;
            sum.digest.unite(&part.digest);
        }
    }
    let mut all = Digest::default();
    for (index, database) in databases.iter().enumerate().filter(|(_, db)| db.keys > 0) {
        all.mix(&(index as u32).to_be_bytes());
        all.unite(&database.digest);
    }
    all
}

/// Of each key that is on this shard.
pub fn of_values(keys: &[&[u8]], ctx: &mut Ctx<'_>) -> Vec<Option<Digest>> {
    let now = ctx.now;
    let one = |bytes: &&[u8]| {
        let key = ctx.key(bytes);
        let mut db = ctx.db();
        let entry = db.peek(&key)?;
        let mut digest = Digest::default();
        digest.value(&entry, now);
        Some(digest)
    };
    keys.iter().map(one).collect()
}
