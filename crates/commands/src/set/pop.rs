//! SPOP and SRANDMEMBER: members by chance, taken out or not.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_value::{Set, Str};

use crate::sample::{self, Count};

/// `SPOP key [count]`
pub struct SPop;

/// `SRANDMEMBER key [count]`
pub struct SRandMember;

impl Command for SPop {
    const SPEC: Spec = Spec {
        name: "spop",
        summary: "Takes out and returns members of a set by chance.",
        complexity: "O(N) in the number of members returned.",
        syntax: "key [count]",
        arity: Arity(-2),
        flags: Flags::WRITE.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::DELETE))],
        tips: &["nondeterministic_output"],
        ..super::SET
    };

    type Args<'a> = (&'a [u8], Option<usize>);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        let key = args.bytes()?;
        if args.left() > 1 {
            return Err(ReplyError::Syntax);
        }
        let count = (args.left() == 1)
            .then(|| args.int_in(0..=i64::MAX, ReplyError::NotPositive))
            .transpose()?;
        Ok((key, count.map(|count| count as usize)))
    }

    fn execute(
        (key, count): (&[u8], Option<usize>),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (mut rng, rules) = (ctx.chance(), ctx.rules());
        let Some(mut set) = ctx.edit::<Set>(key)? else {
            if count.is_some() {
                reply.set(0);
            } else {
                reply.null();
            }
            return Ok(());
        };
        if count == Some(0) {
            reply.set(0);
            return Ok(());
        }
        let popped = count.unwrap_or(1).min(set.len());
        if count.is_some() {
            reply.set(popped);
        }
        let is_all = popped == set.len();
        let mut answer = |member: Str<'_>| member.with(|member| reply.bulk(member));
        if is_all {
            set.iter().for_each(answer);
            // What takes long to free goes in portions.
            set.remove_key();
        } else {
            let left = set.len() - popped;
            if left * 5 > popped {
                for _ in 0..popped {
                    set.pop(&mut rng, &mut answer);
                }
            } else {
                // Few are left: those are put together anew, which may make the set small again.
                let mut keep: Vec<Vec<u8>> = Vec::with_capacity(left);
                for _ in 0..left {
                    set.pop(&mut rng, |member| keep.push(member.to_vec()));
                }
                set.iter().for_each(&mut answer);
                let mut rest = Set::default();
                for member in &keep {
                    rest.add(member, &rules);
                }
                set.replace(rest);
            }
            drop(set);
        }
        ctx.notify(Class::Set, "spop", key);
        if is_all {
            ctx.notify(Class::Generic, "del", key);
        }
        ctx.changed(popped as u64);
        Ok(())
    }
}

impl Command for SRandMember {
    const SPEC: Spec = Spec {
        name: "srandmember",
        summary: "Returns members of a set by chance.",
        complexity: "O(N) in the number of members returned.",
        syntax: "key [count]",
        arity: Arity(-2),
        flags: Flags::READONLY,
        tips: &["nondeterministic_output"],
        ..super::SET
    };

    type Args<'a> = (&'a [u8], Option<Count>);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        let key = args.bytes()?;
        if args.left() > 1 {
            return Err(ReplyError::Syntax);
        }
        if args.left() == 0 {
            return Ok((key, None));
        }
        Ok((key, Some(Count::of(sample::number(args)?)?)))
    }

    fn execute(
        (key, count): (&[u8], Option<Count>),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let mut rng = ctx.chance();
        let set = ctx.read::<Set>(key)?;
        let Some(count) = count else {
            match set.and_then(|set| set.random(&mut rng)) {
                Some(member) => member.with(|member| reply.bulk(member)),
                None => reply.null(),
            }
            return Ok(());
        };
        let Some(set) = set else {
            reply.array(0);
            return Ok(());
        };
        reply.array(count.answers(set.len()));
        let answer = |member: Str<'_>| member.with(|member| reply.bulk(member));
        match count {
            Count::Distinct(count) if count >= set.len() => set.iter().for_each(answer),
            Count::Distinct(count) => {
                let chosen = sample::distinct(set.len(), count, &mut rng);
                chosen.into_iter().filter_map(|n| set.nth(n)).for_each(answer);
            }
            Count::Draws(count) => {
                (0..count).filter_map(|_| set.random(&mut rng)).for_each(answer);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::bench::Bench;

    /// Every member once, whatever the form of the set and however many are popped at a time.
    #[test]
    fn what_is_popped_and_what_is_left_is_what_there_was() {
        for size in [10_usize, 200, 700, 3_000] {
            for word in ["", "m"] {
                for count in [1, size / 3, size - size / 8, size - 1, size, size + 1] {
                    let mut bench = Bench::new();
                    let members: BTreeSet<String> =
                        (0..size).map(|n| format!("{word}{n}")).collect();
                    for member in &members {
                        bench.run(&format!("SADD k {member}"));
                    }
                    let lines = |reply: String| -> Vec<String> {
                        let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
                        reply.lines().filter_map(quoted).collect()
                    };
                    let mut seen = lines(bench.run(&format!("SPOP k {count}")));
                    assert_eq!(seen.len(), count.min(size), "{size} {word} {count}");
                    seen.extend(lines(bench.run("SMEMBERS k")));
                    assert_eq!(seen.len(), size, "{size} {word} {count}");
                    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), members);
                }
            }
        }
    }
}
