//! HSCAN: all fields of a hash, a portion a call.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Hash;

use crate::walk::{WalkArgs, answer};

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
pub struct HScan;

impl Command for HScan {
    const SPEC: Spec = Spec {
        name: "hscan",
        summary: "Returns the fields of a hash with their values, a portion a call.",
        since: "2.8.0",
        complexity: "O(N) in COUNT a call, in the number of fields for all calls together.",
        syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        tips: &["nondeterministic_output"],
        ..super::HASH
    };

    type Args<'a> = WalkArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<WalkArgs<'a>, ReplyError> {
        WalkArgs::read(args, true)
    }

    fn execute(
        args: WalkArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(hash) = ctx.read::<Hash>(args.key)? else {
            answer(None, &[], reply);
            return Ok(());
        };
        let options = args.options?;
        let mut found = Vec::new();
        let next = hash.scan(args.position(), options.count, &mut |field, value| {
            if field.with(|field| options.pattern.fits(field)) {
                found.push(field.to_vec());
                if !options.keys_only {
                    found.push(value.to_vec());
                }
            }
        });
        answer(next, &found, reply);
        Ok(())
    }
}
