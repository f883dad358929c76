//! DEBUG RELOAD: every value goes out as a snapshot would write it and comes back.
//!
//! Through memory, key by key: no file is needed to find out whether what is written is what is read,
//! and that is what it is for. It takes no portions.

use stoa_config::Remembers;
use stoa_engine::Ctx;
use stoa_keyspace::{Access, Owned};
use stoa_stdx::DbIndex;

use crate::generic::{dump, restore};

/// Reloads all keys of this shard. False if a value did not come back; it is as it was then.
pub fn reload(ctx: &mut Ctx<'_>) -> bool {
    (0..ctx.keyspace.database_count()).all(|index| of_database(DbIndex(index), ctx))
}

fn of_database(index: DbIndex, ctx: &mut Ctx<'_>) -> bool {
    let (now, rules, seed) = (ctx.now, ctx.rules(), ctx.keyspace.seed().clone());
    let (compresses, remembers) = (ctx.node.config.rdb_compression, ctx.node.config.remembers);
    // Nobody is told: a key that is loaded is not new.
    let mut db = ctx.keyspace.db(index, now, false);
    let mut names = Vec::new();
    db.for_each(&mut |entry| names.push(entry.key().to_vec()));
    names.iter().all(|name| {
        let key = seed.key(name);
        let Some(entry) = db.peek(&key) else { return true };
        let (deadline, clock) = (entry.deadline(), entry.clock());
        let payload = stoa_rdb::dump(dump::value(&entry), &rules.limits, compresses);
        let Ok(loaded) = stoa_rdb::restore(&payload, true, &rules) else { return false };
        db.put(&key, Owned { value: restore::value(loaded), deadline, clock });
        // A snapshot says how keys were used only if the policy makes something of it.
        if remembers == Remembers::Nothing {
            db.set_access(&key, Access::IdleS(0));
        }
        true
    })
}
