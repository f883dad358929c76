//! DEBUG OBJECT: how a key is kept, in the words that tools for Redis look for.

use stoa_engine::{Ctx, stored};
use stoa_rdb::Writer;

/// The key if it is on this shard. No address is shown: it would differ from run to run, and it would
/// tell an attacker where memory lies.
pub(super) fn describe(key: &[u8], ctx: &mut Ctx<'_>) -> Option<String> {
    let key = ctx.key(key);
    let (limits, compresses) = (ctx.node.config.limits, ctx.node.config.rdb_compression);
    let mut db = ctx.db();
    // As in the reference: also of one past its deadline that was not reclaimed.
    let entry = db.peek_at_all(&key)?;
    // As in a snapshot.
    let mut writer = Writer::new(compresses);
    writer.value(stored(&entry), &limits);
    let idle_s = entry.idle_s();
    Some(format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        entry.encoding(),
        writer.into_bytes().len(),
        entry.clock(),
    ))
}
