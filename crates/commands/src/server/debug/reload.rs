//! DEBUG RELOAD: every key goes out as a snapshot would write it and comes back.
//!
//! Through memory, key by key, with one writer and one reader of whole files: no file is needed to find
//! out whether what is written is what is read, and that is what it is for. It takes no portions.

use stoa_engine::{Ctx, access, head, restored, stored};
use stoa_keyspace::Owned;
use stoa_rdb::{FileReader, FileWriter, Record};
use stoa_stdx::DbIndex;

/// What is written before it is read.
const PORTION_LEN: usize = 64 * 1024;

/// Reloads all keys of this shard, none of which is being copied or given away: it has waited for that
/// (see `wants_all_keys`). False if something did not come back; what follows it is as it was then.
pub fn reload(ctx: &mut Ctx<'_>) -> bool {
    let mut writer = FileWriter::new(stoa_rdb::VERSION, ctx.node.config.rdb_compression, true);
    let mut reader = FileReader::new(ctx.rules(), true);
    let databases = (0..ctx.keyspace.database_count()).map(DbIndex);
    for index in databases {
        let (keys, deadlines) = ctx.keyspace.counts(index);
        writer.database(index.0, keys as u64, deadlines as u64);
        reader.feed(&writer.take());
        if !matches!(reader.next(), Ok(Some(Record::Sizes { .. }))) {
            return false;
        }
        if !of_database(index, &mut writer, &mut reader, ctx) {
            return false;
        }
    }
    writer.end();
    reader.feed(&writer.take());
    matches!(reader.next(), Ok(Some(Record::End { is_checked: true })))
}

fn of_database(
    index: DbIndex,
    writer: &mut FileWriter,
    reader: &mut FileReader,
    ctx: &mut Ctx<'_>,
) -> bool {
    let (now, limits, seed) = (ctx.now, ctx.node.config.limits, ctx.keyspace.seed().clone());
    let (remembers, counting) = (ctx.node.config.remembers, ctx.keyspace.counting);
    // Nobody is told: a key that is loaded is not new.
    let mut db = ctx.keyspace.db(index, now, false);
    let mut names = Vec::new();
    db.for_each(&mut |entry| names.push(entry.key().to_vec()));
    names.iter().all(|name| {
        let place = seed.key(name);
        let Some(entry) = db.peek(&place) else { return true };
        let head = head(&entry, remembers, counting);
        let mut value = writer.key(head, stored(&entry), &limits);
        let mut came = Ok(None);
        while !value.is_over() && came == Ok(None) {
            writer.value(&mut value, PORTION_LEN);
            reader.feed(&writer.take());
            came = reader.next();
        }
        let Ok(Some(Record::Key(record))) = came else { return false };
        let is_right = record.key == *name && record.database == u64::from(index.0);
        if !is_right || !value.is_over() {
            return false;
        }
        drop(value);
        let owned = Owned { value: restored(record.value), deadline: record.deadline, clock: 0 };
        db.store(&place, owned);
        db.set_access(&place, access(record.idle_s, record.frequency));
        true
    })
}
