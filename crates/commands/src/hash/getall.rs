//! HGETALL, HKEYS and HVALS: all of a hash.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Hash;

const ALL: Spec = Spec {
    complexity: "O(N) in the number of fields.",
    syntax: "key",
    arity: Arity(2),
    flags: Flags::READONLY,
    tips: &["nondeterministic_output_order"],
    ..super::HASH
};

/// What of each field is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Fields,
    Values,
    Both,
}

fn all(key: &[u8], part: Part, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let hash = ctx.read::<Hash>(key)?;
    let len = hash.map_or(0, Hash::len);
    if part == Part::Both {
        reply.map(len);
    } else {
        reply.array(len);
    }
    for (field, value, _) in hash.into_iter().flat_map(Hash::iter) {
        if part != Part::Values {
            field.with(|field| reply.bulk(field));
        }
        if part != Part::Fields {
            value.with(|value| reply.bulk(value));
        }
    }
    Ok(())
}

macro_rules! command {
    ($doc:literal, $type:ident, $part:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = &'a [u8];

            fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
                args.bytes()
            }

            fn execute(
                key: &[u8],
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                all(key, $part, ctx, reply)
            }
        }
    };
}

command! { "`HGETALL key`", HGetAll, Part::Both, Spec {
    name: "hgetall",
    summary: "Returns all fields of a hash with their values.",
    ..ALL
}}

command! { "`HKEYS key`", HKeys, Part::Fields, Spec {
    name: "hkeys",
    summary: "Returns all fields of a hash.",
    ..ALL
}}

command! { "`HVALS key`", HVals, Part::Values, Spec {
    name: "hvals",
    summary: "Returns the values of all fields of a hash.",
    ..ALL
}}
