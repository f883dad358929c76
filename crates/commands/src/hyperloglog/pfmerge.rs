//! PFMERGE: several sketches into one, as if it had seen what all of them saw.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use super::sketch::{self, Sketch, Union};
use super::{corrupt, read_sketch, store};

/// `PFMERGE destkey [sourcekey [sourcekey ...]]`
pub struct PfMerge;

impl Command for PfMerge {
    const SPEC: Spec = Spec {
        name: "pfmerge",
        summary: "Merges HyperLogLogs into the first one.",
        since: "2.8.9",
        group: Group::HyperLogLog,
        complexity: "O(N), N sketches, and a slow one.",
        syntax: "destkey [sourcekey:key...]",
        arity: Arity(-2),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::HyperLogLog],
        keys: &[
            KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::INSERT)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.with(KeyFlags::ACCESS)),
        ],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(keys: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        // The destination is the first of what is merged, too.
        let mut union = Union::new();
        let mut any_dense = false;
        for key in keys {
            let key = ctx.key(key);
            if let Some(entry) = ctx.db().get(&key) {
                read_sketch(&entry, |bytes| {
                    any_dense |= sketch::is_dense(bytes);
                    union.add(bytes)
                })?;
            }
        }
        let into = ctx.key(keys[0]);
        let mut merged = match ctx.db().get_for_write(&into) {
            Some(entry) => Sketch(read_sketch(&entry, |bytes| Ok(bytes.to_vec()))?),
            None => Sketch::new(),
        };
        if any_dense {
            merged.open().map_err(corrupt)?;
        }
        let sparse_len_max = ctx.node.config.hll_sparse_max_bytes as usize;
        for (index, value) in union.registers() {
            merged.set(index, value, sparse_len_max).map_err(corrupt)?;
        }
        sketch::forget_cached(&mut merged.0);
        store(&into, merged.0, ctx);
        // The reference says so here, too.
        ctx.notify(Class::String, "pfadd", into.bytes);
        ctx.changed(1);
        reply.ok();
        Ok(())
    }
}
