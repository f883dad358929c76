//! SINTER, SUNION and SDIFF, and each with STORE: sets made of sets.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::Ttl;
use stoa_value::{Rules, Set, Str};

/// How sets are combined. A missing key is an empty set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Inter,
    Union,
    Diff,
}

/// The members that all sets have, in the order of the smallest.
pub(super) fn common<'a>(sets: &[Option<&'a Set>]) -> impl Iterator<Item = Str<'a>> {
    let sets: Option<Vec<&Set>> = sets.iter().copied().collect();
    let mut sets = sets.unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let (first, others) = sets
        .split_first()
        .map_or((None, Vec::new()), |(first, others)| (Some(*first), others.to_vec()));
    first.into_iter().flat_map(Set::iter).filter(move |member| {
        member.with(|member| others.iter().all(|other| other.contains(member)))
    })
}

/// The result on its own. What it begins as decides how it is stored, as in the reference.
fn combined(way: Way, sets: &[Option<&Set>], rules: &Rules) -> Set {
    let mut result = Set::default();
    let mut add = |member: Str<'_>| {
        member.with(|member| result.add(member, rules));
    };
    match way {
        Way::Inter => {
            let smallest = sets.iter().flatten().min_by_key(|set| set.len());
            if smallest.is_some_and(|set| set.encoding() != "intset") {
                let mut result = Set::packed();
                common(sets).for_each(|member| {
                    member.with(|member| result.add(member, rules));
                });
                result.settle(rules);
                return result;
            }
            common(sets).for_each(add);
        }
        Way::Union => sets.iter().flatten().flat_map(|set| set.iter()).for_each(add),
        Way::Diff => {
            let (first, others) = sets.split_first().expect("at least one key");
            let others: Vec<&Set> = others.iter().flatten().copied().collect();
            let kept = first.iter().flat_map(|set| set.iter()).filter(|member| {
                member.with(|member| !others.iter().any(|other| other.contains(member)))
            });
            kept.for_each(&mut add);
        }
    }
    result
}

fn answer(
    way: Way,
    keys: &[&[u8]],
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let rules = ctx.rules();
    let sets = ctx.read_all::<Set>(keys)?;
    let result = combined(way, &sets, &rules);
    reply.set(result.len());
    result.iter().for_each(|member| member.with(|member| reply.bulk(member)));
    Ok(())
}

fn store(
    (way, event): (Way, &'static str),
    (to, keys): (&[u8], &[&[u8]]),
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let rules = ctx.rules();
    let sets = ctx.read_all::<Set>(keys)?;
    let result = combined(way, &sets, &rules);
    reply.int(result.len() as i64);
    let key = ctx.key(to);
    if !result.is_empty() {
        ctx.db().set_object(&key, result, Ttl::Clear);
        ctx.notify(Class::Set, event, to);
        ctx.changed(1);
    } else if ctx.db().remove(&key) {
        ctx.notify(Class::Generic, "del", to);
        ctx.changed(1);
    }
    Ok(())
}

const READ: Spec = Spec {
    complexity: "O(N) in the number of members of all sets.",
    syntax: "key...",
    arity: Arity(-2),
    flags: Flags::READONLY,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.with(KeyFlags::ACCESS))],
    tips: &["nondeterministic_output_order"],
    ..super::SET
};

const STORE: Spec = Spec {
    syntax: "destination key...",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[
        KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE)),
        KeySpec::range(2, -1, 1, KeyFlags::RO.with(KeyFlags::ACCESS)),
    ],
    tips: &[],
    ..READ
};

macro_rules! command {
    ($doc:literal, $type:ident, $way:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = &'a [&'a [u8]];

            fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
                Ok(args.rest())
            }

            fn execute(
                keys: &[&[u8]],
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                answer($way, keys, ctx, reply)
            }
        }
    };
}

macro_rules! store_command {
    ($doc:literal, $type:ident, $way:expr, $name:literal, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = Spec { name: $name, ..$spec };

            type Args<'a> = (&'a [u8], &'a [&'a [u8]]);

            fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
                Ok((args.bytes()?, args.rest()))
            }

            fn execute(
                args: (&[u8], &[&[u8]]),
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                store(($way, $name), args, ctx, reply)
            }
        }
    };
}

command! { "`SINTER key [key ...]`", SInter, Way::Inter, Spec {
    name: "sinter",
    summary: "Returns the members that several sets have in common.",
    ..READ
}}

command! { "`SUNION key [key ...]`", SUnion, Way::Union, Spec {
    name: "sunion",
    summary: "Returns the members of several sets.",
    ..READ
}}

command! { "`SDIFF key [key ...]`", SDiff, Way::Diff, Spec {
    name: "sdiff",
    summary: "Returns the members of the first of several sets that no other has.",
    ..READ
}}

store_command! { "`SINTERSTORE destination key [key ...]`", SInterStore, Way::Inter, "sinterstore", Spec {
    summary: "Stores the members that several sets have in common.",
    ..STORE
}}

store_command! { "`SUNIONSTORE destination key [key ...]`", SUnionStore, Way::Union, "sunionstore", Spec {
    summary: "Stores the members of several sets.",
    ..STORE
}}

store_command! { "`SDIFFSTORE destination key [key ...]`", SDiffStore, Way::Diff, "sdiffstore", Spec {
    summary: "Stores the members of the first of several sets that no other has.",
    ..STORE
}}
