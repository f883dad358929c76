//! DEBUG OBJECT: how a key is kept, in the words that tools for Redis look for.

use stoa_engine::Ctx;
use stoa_keyspace::{EntryRef, Str};

/// The key if it is on this shard. No address is shown: it would differ from run to run, and it would
/// tell an attacker where memory lies.
pub(super) fn describe(key: &[u8], ctx: &mut Ctx<'_>) -> Option<String> {
    let key = ctx.key(key);
    let clock = (ctx.now.0 / 1_000) & 0xff_ffff;
    let mut db = ctx.db();
    let entry = db.peek(&key)?;
    let idle_s = entry.idle_s();
    Some(format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        entry.encoding(),
        serialized_len(&entry),
        clock.wrapping_sub(idle_s) & 0xff_ffff,
    ))
}

/// Bytes of the value in a snapshot, without compression.
fn serialized_len(entry: &EntryRef<'_>) -> usize {
    match entry.string() {
        Ok(Str::Int(value)) if i8::try_from(value).is_ok() => 2,
        Ok(Str::Int(value)) if i16::try_from(value).is_ok() => 3,
        Ok(Str::Int(value)) if i32::try_from(value).is_ok() => 5,
        Ok(Str::Int(value)) => 1 + value.to_string().len(),
        Ok(Str::Bytes(bytes)) => {
            let len = bytes.len();
            let head = match len {
                0..64 => 1,
                64..16_384 => 2,
                _ => 5,
            };
            head + len
        }
        Err(_) => entry.bytes(),
    }
}
