//! PUBSUB: which channels have listeners, and how many. Answered from this shard's copy of the
//! counts; names come in their order.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Kind, Reply};
use stoa_stdx::glob_match;

use super::CHANNELS;

fn channels(kind: Kind, pattern: Option<&[u8]>, ctx: &Ctx<'_>, reply: &mut dyn Reply) {
    let fits = |name: &[u8]| pattern.is_none_or(|pattern| glob_match(pattern, name, false));
    let names: Vec<_> = ctx.node.pubsub.counts.names(kind).filter(|name| fits(name)).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
}

fn numbers(kind: Kind, names: &[&[u8]], ctx: &Ctx<'_>, reply: &mut dyn Reply) {
    reply.array(names.len() * 2);
    for name in names {
        reply.bulk(name);
        reply.int(ctx.node.pubsub.counts.total(kind, name) as i64);
    }
}

/// What is listed, or the subcommand's own word when it got too much: the error repeats it.
type Wanted<'a> = Result<Option<&'a [u8]>, &'a [u8]>;

fn wanted<'a>(args: &mut Args<'a>) -> Wanted<'a> {
    let pattern = args.bytes().ok();
    if args.rest().is_empty() { Ok(pattern) } else { Err(args.at(1).unwrap_or_default()) }
}

macro_rules! listing {
    ($doc:literal, $type:ident, $kind:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = Wanted<'a>;

            fn parse<'a>(args: &mut Args<'a>) -> Result<Wanted<'a>, ReplyError> {
                Ok(wanted(args))
            }

            fn execute(
                wanted: Wanted<'_>,
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                match wanted {
                    Ok(pattern) => channels($kind, pattern, ctx, reply),
                    Err(word) => reply.error_echo(
                        "ERR unknown subcommand or wrong number of arguments for '",
                        word,
                        "'. Try PUBSUB HELP.",
                    ),
                }
                Ok(())
            }
        }
    };
}

macro_rules! counting {
    ($doc:literal, $type:ident, $kind:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $type;

        impl Command for $type {
            const SPEC: Spec = $spec;

            type Args<'a> = &'a [&'a [u8]];

            fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
                Ok(args.rest())
            }

            fn execute(
                names: &[&[u8]],
                ctx: &mut Ctx<'_>,
                reply: &mut dyn Reply,
            ) -> Result<(), ReplyError> {
                numbers($kind, names, ctx, reply);
                Ok(())
            }
        }
    };
}

listing! { "`PUBSUB CHANNELS [pattern]`", Channels, Kind::Channel, Spec {
    name: "pubsub|channels",
    summary: "Lists the channels that somebody subscribed to by name.",
    complexity: "O(N), N channels.",
    syntax: "[pattern]",
    arity: Arity(-2),
    ..CHANNELS
}}

listing! { "`PUBSUB SHARDCHANNELS [pattern]`", ShardChannels, Kind::Shard, Spec {
    name: "pubsub|shardchannels",
    summary: "Lists the shard channels that somebody subscribed to.",
    since: "7.0.0",
    ..Channels::SPEC
}}

counting! { "`PUBSUB NUMSUB [channel [channel ...]]`", NumSub, Kind::Channel, Spec {
    name: "pubsub|numsub",
    summary: "Counts those who subscribed to channels by name.",
    complexity: "O(N), N channels asked for.",
    syntax: "[channel...]",
    arity: Arity(-2),
    ..CHANNELS
}}

counting! { "`PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]`", ShardNumSub, Kind::Shard, Spec {
    name: "pubsub|shardnumsub",
    summary: "Counts those who subscribed to shard channels.",
    since: "7.0.0",
    syntax: "[shardchannel...]",
    ..NumSub::SPEC
}}

/// `PUBSUB NUMPAT`
pub struct NumPat;

impl Command for NumPat {
    const SPEC: Spec = Spec {
        name: "pubsub|numpat",
        summary: "Counts the patterns that somebody subscribed to.",
        arity: Arity(2),
        ..CHANNELS
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(ctx.node.pubsub.counts.len(Kind::Pattern) as i64);
        Ok(())
    }
}
