//! PFCOUNT: how many distinct elements one sketch saw, or several together.
//!
//! The count of one is kept in its bytes until it changes. So a command that reads may write, which
//! its key's flags say.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::read_sketch;
use super::sketch::{self, Union};
use crate::wrong_type;

/// `PFCOUNT key [key ...]`
pub struct PfCount;

impl Command for PfCount {
    const SPEC: Spec = Spec {
        name: "pfcount",
        summary: "Estimates how many distinct elements HyperLogLogs saw together.",
        since: "2.8.9",
        group: Group::HyperLogLog,
        complexity: "O(1) for one key whose count is known, O(N) for N keys, and a slow one.",
        syntax: "key...",
        arity: Arity(-2),
        flags: Flags::READONLY,
        categories: &[Category::HyperLogLog],
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RW.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let count = match keys {
            [key] => count_one(key, ctx)?,
            _ => {
                let mut union = Union::new();
                for key in keys {
                    let key = ctx.key(key);
                    if let Some(entry) = ctx.db().get(&key) {
                        read_sketch(&entry, |bytes| union.add(bytes))?;
                    }
                }
                union.count()
            }
        };
        reply.int(count as i64);
        Ok(())
    }
}

fn count_one(key: &[u8], ctx: &mut Ctx<'_>) -> Result<u64, ReplyError> {
    let key = ctx.key(key);
    let mut db = ctx.db();
    let Some(entry) = db.get(&key) else { return Ok(0) };
    let known = read_sketch(&entry, |bytes| Ok(sketch::cached(bytes)))?;
    if let Some(count) = known {
        return Ok(count);
    }
    let count = read_sketch(&entry, sketch::count)?;
    let (bytes, _) = db.string_mut(&key, 0).map_err(wrong_type)?;
    sketch::cache(bytes, count);
    ctx.changed(1);
    Ok(count)
}
