//! SSCAN: all members of a set, a portion a call.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::Set;

use crate::walk::{WalkArgs, answer};

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub struct SScan;

impl Command for SScan {
    const SPEC: Spec = Spec {
        name: "sscan",
        summary: "Returns the members of a set, a portion a call.",
        since: "2.8.0",
        complexity: "O(N) in COUNT a call, in the number of members for all calls together.",
        syntax: "key cursor [MATCH pattern] [COUNT count]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        tips: &["nondeterministic_output"],
        ..super::SET
    };

    type Args<'a> = WalkArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<WalkArgs<'a>, ReplyError> {
        WalkArgs::read(args, false)
    }

    fn execute(
        args: WalkArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let Some(set) = ctx.read::<Set>(args.key)? else {
            answer(None, &[], reply);
            return Ok(());
        };
        let options = args.options?;
        let mut found = Vec::new();
        let next = set.scan(args.position(), options.count, &mut |member| {
            if member.with(|member| options.pattern.fits(member)) {
                found.push(member.to_vec());
            }
        });
        answer(next, &found, reply);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::bench::Bench;

    #[test]
    fn a_large_set_is_scanned_whole_while_it_changes() {
        let mut bench = Bench::new();
        for n in 0..2_000 {
            bench.run(&format!("SADD k stays:{n}"));
        }
        let mut seen = BTreeSet::new();
        let mut cursor = "0".to_owned();
        for call in 0.. {
            let reply = bench.run(&format!("SSCAN k {cursor} COUNT 50"));
            let mut words = reply.lines().filter_map(|line| line.split('"').nth(1));
            cursor = words.next().expect("a cursor").to_owned();
            seen.extend(words.filter(|word| word.starts_with("stays")).map(str::to_owned));
            for n in 0..40 {
                bench.run(&format!("SADD k other:{}", call * 40 + n));
                bench.run(&format!("SREM k other:{}", call * 20 + n));
            }
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 2_000);
    }
}
