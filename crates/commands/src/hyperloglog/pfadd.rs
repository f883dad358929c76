//! PFADD: counts elements.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use super::sketch::{self, Sketch};
use super::{corrupt, read_sketch, store};
use crate::wrong_type;

/// `PFADD key [element [element ...]]`
pub struct PfAdd;

impl Command for PfAdd {
    const SPEC: Spec = Spec {
        name: "pfadd",
        summary: "Counts elements in a HyperLogLog; makes it when it is missing.",
        since: "2.8.9",
        group: Group::HyperLogLog,
        complexity: "O(1) for each element.",
        syntax: "key [element...]",
        arity: Arity(-2),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::HyperLogLog],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
        ..Spec::DEFAULT
    };

    type Args<'a> = (&'a [u8], &'a [&'a [u8]]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.rest()))
    }

    fn execute(
        (key, elements): (&[u8], &[&[u8]]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (key, sparse_len_max) = (ctx.key(key), ctx.node.config.hll_sparse_max_bytes as usize);
        let mut db = ctx.db();
        // A dense one, which never changes its length, changes in place.
        let old = match db.get_for_write(&key) {
            None => None,
            Some(entry) => Some(read_sketch(&entry, |bytes| {
                Ok((!sketch::is_dense(bytes)).then(|| Sketch(bytes.to_vec())))
            })?),
        };
        let is_new = old.is_none();
        let mut rises = u64::from(is_new);
        // Met after some elements, it leaves what they raised, as in Redis.
        let mut damage = None;
        if let Some(None) = old {
            let (bytes, _) = db.string_mut(&key, 0).map_err(wrong_type)?;
            for element in elements {
                let (index, value) = sketch::place(element);
                rises += u64::from(sketch::dense_raise(bytes, index, value));
            }
            if rises > 0 {
                sketch::forget_cached(bytes);
            }
        } else {
            let mut sketch = old.flatten().unwrap_or_else(Sketch::new);
            let added = elements.iter().try_for_each(|element| {
                rises += u64::from(sketch.add(element, sparse_len_max)?);
                Ok(())
            });
            damage = added.err();
            if rises > 0 {
                sketch::forget_cached(&mut sketch.0);
                store(&key, sketch.0, ctx);
            }
        }
        if rises > 0 {
            ctx.notify(Class::String, "pfadd", key.bytes);
            ctx.changed(rises);
        }
        if let Some(damage) = damage {
            return Err(corrupt(damage));
        }
        reply.int((rises > 0).into());
        Ok(())
    }
}
