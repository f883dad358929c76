//! The keys of the whole node on one shard: what a transaction works on that may touch any key.
//!
//! Every shard lends its keyspace for the while. A command of some keys takes their entries over into
//! the keyspace of this shard and runs as it always does; a command of all keys runs on one keyspace
//! after the other and its parts are joined, as if by mail. At the end everything goes back.

use std::collections::BTreeMap;

use stoa_command::{Args, Category, KeyPositions, RequestPolicy, ResponsePolicy};
use stoa_keyspace::{Keyspace, ScanCursor};
use stoa_stdx::{DbIndex, ShardId, SlotId, UnixMs, first_slot, key_slot, owner_of};

use crate::asking::run_on_shards;
use crate::{Captured, Ctx, Entry, Part, Reply, Walk, WalkStep, run};

/// The keyspaces of all other shards.
pub struct Borrowed {
    home: ShardId,
    /// By shard; none at home.
    keyspaces: Vec<Option<Box<Keyspace>>>,
    /// Keys taken over, with their owners.
    adopted: BTreeMap<Vec<u8>, ShardId>,
    /// A part of a command runs on the keyspace of another shard than home.
    is_elsewhere: bool,
}

impl Borrowed {
    /// Nothing borrowed yet, on a node of so many shards.
    #[must_use]
    pub fn new(home: ShardId, shards: u16) -> Self {
        let keyspaces = (0..shards).map(|_| None).collect();
        Self { home, keyspaces, adopted: BTreeMap::new(), is_elsewhere: false }
    }

    pub(crate) const fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// A shard has lent its keys.
    pub fn add(&mut self, owner: ShardId, keyspace: Box<Keyspace>) {
        self.keyspaces[owner.0 as usize] = Some(keyspace);
    }

    /// What goes back to `owner`. To be called after [`Borrowed::give_back`].
    pub fn remove(&mut self, owner: ShardId) -> Option<Box<Keyspace>> {
        debug_assert!(self.adopted.is_empty(), "keys were taken over and not given back");
        self.keyspaces[owner.0 as usize].take()
    }

    fn adopt(&mut self, own: &mut Keyspace, key: &[u8], now: UnixMs) {
        let owner = owner_of(key_slot(key), self.keyspaces.len() as u16);
        if owner == self.home || self.adopted.contains_key(key) {
            return;
        }
        let Some(from) = &mut self.keyspaces[owner.0 as usize] else { return };
        carry(from, own, key, now);
        self.adopted.insert(key.to_vec(), owner);
    }

    /// Puts all that was taken over back into the keyspaces of its owners, which also learn what of it
    /// was changed.
    pub fn give_back(&mut self, own: &mut Keyspace, now: UnixMs) {
        let noted = own.note_all(true);
        for (key, owner) in std::mem::take(&mut self.adopted) {
            if let Some(to) = &mut self.keyspaces[owner.0 as usize] {
                carry(own, to, &key, now);
            }
        }
        for (db, key) in noted {
            let owner = owner_of(key_slot(&key), self.keyspaces.len() as u16);
            if let Some(to) = &mut self.keyspaces[owner.0 as usize] {
                to.changed_elsewhere(db, &key);
            }
        }
    }
}

/// Moves a key, in every database where it is. Moving is no change.
fn carry(from: &mut Keyspace, to: &mut Keyspace, key: &[u8], now: UnixMs) {
    let place = to.seed().key(key);
    for index in (0..to.database_count()).map(DbIndex) {
        if let Some(owned) = from.db(index, now, false).lend(&place) {
            to.db(index, now, false).put(&place, owned);
        }
    }
    from.forget_notes();
    to.forget_notes();
}

/// Runs a command that was not routed: on this shard, or on all keys of the node if they are
/// borrowed. True when it succeeded.
pub fn run_unrouted(
    entry: &Entry,
    argv: &[&[u8]],
    at: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> bool {
    let spec = &entry.spec;
    let everywhere = match spec.request {
        RequestPolicy::AllShards | RequestPolicy::Walk => {
            ctx.borrowed.is_some()
                || spec.response == ResponsePolicy::Merge
                || spec.request == RequestPolicy::Walk
        }
        RequestPolicy::Keys | RequestPolicy::Split | RequestPolicy::Exec | RequestPolicy::Watch => {
            false
        }
    };
    if everywhere {
        return run_everywhere(entry, argv, at, ctx, reply);
    }
    if ctx.borrowed.is_some() {
        let mut keys = KeyPositions::default();
        if spec.key_positions(&Args::new(argv, at), &mut keys).is_ok() {
            for (position, _) in keys.as_slice() {
                ctx.adopt(argv[*position]);
            }
        }
    }
    run(entry, argv, at, ctx, reply)
}

impl Ctx<'_> {
    /// Takes a key over from its owner's keyspace, if that is on loan here.
    pub fn adopt(&mut self, key: &[u8]) {
        if let Some(borrowed) = &mut self.borrowed {
            borrowed.adopt(self.keyspace, key, self.now);
        }
    }

    /// Runs `part` on the keyspace of `owner`.
    fn on<R>(&mut self, owner: ShardId, part: impl FnOnce(&mut Ctx<'_>) -> R) -> R {
        let lent = self.borrowed.as_mut().and_then(|all| all.keyspaces[owner.0 as usize].take());
        let Some(mut lent) = lent else { return part(self) };
        std::mem::swap(self.keyspace, &mut *lent);
        self.set_elsewhere(true);
        let result = part(self);
        self.set_elsewhere(false);
        std::mem::swap(self.keyspace, &mut *lent);
        if let Some(all) = &mut self.borrowed {
            all.add(owner, lent);
        }
        result
    }

    fn set_elsewhere(&mut self, is_elsewhere: bool) {
        if let Some(all) = &mut self.borrowed {
            all.is_elsewhere = is_elsewhere;
        }
    }
}

fn run_everywhere(
    entry: &Entry,
    argv: &[&[u8]],
    at: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> bool {
    let (own, now) = (&mut *ctx.keyspace, ctx.now);
    let shards = match &mut ctx.borrowed {
        None => 1,
        Some(borrowed) => {
            borrowed.give_back(own, now);
            borrowed.keyspaces.len() as u16
        }
    };
    // What is about keys and nothing else finds all it needs here.
    if shards > 1 && !entry.spec.categories.contains(&Category::Keyspace) {
        return run_on_shards(entry, argv, at, ctx, reply);
    }
    let home = ctx.node.shard;
    let owners: Vec<ShardId> =
        if shards == 1 { vec![home] } else { (0..shards).map(ShardId).collect() };
    let merges = entry.spec.response == ResponsePolicy::Merge;
    let parts = if entry.spec.request == RequestPolicy::Walk {
        walk_everywhere(entry, argv, at, ctx, shards)
    } else if merges {
        let collect = |owner| ctx.on(owner, |ctx| (entry.collect)(&mut Args::new(argv, at), ctx));
        owners.into_iter().map(collect).collect()
    } else {
        let parts = owners.into_iter().map(|owner| {
            let mut part = Captured::default();
            ctx.on(owner, |ctx| run(entry, argv, at, ctx, &mut part));
            part
        });
        let joined = Captured::join(entry.spec.response, parts.collect());
        joined.replay(reply);
        return !joined.is_error();
    };
    let mark = reply.mark();
    let merged = parts.and_then(|parts| (entry.merge)(&mut Args::new(argv, at), parts, ctx, reply));
    if let Err(error) = merged {
        reply.rewind(mark);
        reply.error(error);
        return false;
    }
    true
}

/// The steps of a walk, from the shard that the request's own cursor points to.
fn walk_everywhere(
    entry: &Entry,
    argv: &[&[u8]],
    at: usize,
    ctx: &mut Ctx<'_>,
    shards: u16,
) -> Result<Vec<Part>, stoa_command::ReplyError> {
    let wire = argv.get(at).copied().unwrap_or_default();
    let start = ScanCursor::parse(wire).unwrap_or(ScanCursor::START);
    let mut owner = owner_of(start.slot, shards);
    let mut walk = Walk { from: None, left: None, end_slot: first_slot(owner.0 + 1, shards) };
    let mut steps = Vec::new();
    loop {
        let part = ctx.on(owner, |ctx| {
            ctx.walk = Some(walk);
            let part = (entry.collect)(&mut Args::new(argv, at), ctx);
            ctx.walk = None;
            part
        })?;
        let step: &WalkStep = part.downcast_ref().expect("the part of a walk is a step");
        let (next, left) = (step.next, step.left);
        steps.push(part);
        if next.is_some() || owner.0 + 1 == shards {
            return Ok(steps);
        }
        let slot = SlotId(first_slot(owner.0 + 1, shards) as u16);
        owner.0 += 1;
        let end_slot = first_slot(owner.0 + 1, shards);
        walk = Walk { from: Some(ScanCursor { slot, position: 0 }), left: Some(left), end_slot };
    }
}
