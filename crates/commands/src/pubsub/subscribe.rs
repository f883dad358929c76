//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites.
//!
//! Each channel is answered by a message of its own: the verb, the name, and how many subscriptions the
//! client has then. Channels and patterns are counted together, shard channels apart.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Kind, Reply};

use super::CHANNELS;

/// The flags that all six share.
const FLAGS: Flags = CHANNELS.flags.with(Flags::NOSCRIPT).with(Flags::IN_SUBSCRIBED);

const BEGINS: Spec = Spec {
    since: "2.0.0",
    complexity: "O(N), N names given, times the number of shards.",
    arity: Arity(-2),
    flags: FLAGS,
    ..CHANNELS
};

const ENDS: Spec = Spec { arity: Arity(-1), ..BEGINS };

const SHARD_CHANNELS: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)];

/// One answer: `count` of the client's subscriptions are left.
fn answer(kind: Kind, verb: &str, name: Option<&[u8]>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    let [channels, patterns, shard_channels] = ctx.session().subscriptions();
    reply.push(3);
    reply.bulk(verb.as_bytes());
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.int(match kind {
        Kind::Channel | Kind::Pattern => channels + patterns,
        Kind::Shard => shard_channels,
    } as i64);
}

fn begin(kind: Kind, verb: &str, names: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    for name in names {
        ctx.subscribe(kind, name);
        answer(kind, verb, Some(name), ctx, reply);
    }
}

/// Without names it ends all of its kind; if there is none, that is answered once, without a name.
fn end(kind: Kind, verb: &str, names: &[&[u8]], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    for name in names {
        ctx.unsubscribe(kind, name);
        answer(kind, verb, Some(name), ctx, reply);
    }
    if !names.is_empty() {
        return;
    }
    let conn = ctx.session().conn;
    let all = ctx.node.pubsub.memberships.names(conn, kind);
    for name in &all {
        ctx.unsubscribe(kind, name);
        answer(kind, verb, Some(name), ctx, reply);
    }
    if all.is_empty() {
        answer(kind, verb, None, ctx, reply);
    }
}

macro_rules! command {
    ($doc:literal, $type:ident, $act:ident($kind:expr), $spec:expr) => {
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
                $act($kind, Self::SPEC.name, names, ctx, reply);
                Ok(())
            }
        }
    };
}

command! { "`SUBSCRIBE channel [channel ...]`", Subscribe, begin(Kind::Channel), Spec {
    name: "subscribe",
    summary: "Listens to channels.",
    syntax: "channel...",
    ..BEGINS
}}

command! { "`UNSUBSCRIBE [channel [channel ...]]`", Unsubscribe, end(Kind::Channel), Spec {
    name: "unsubscribe",
    summary: "Listens to channels no more, without arguments to none of them.",
    syntax: "[channel...]",
    ..ENDS
}}

command! { "`PSUBSCRIBE pattern [pattern ...]`", PSubscribe, begin(Kind::Pattern), Spec {
    name: "psubscribe",
    summary: "Listens to all channels whose names match.",
    syntax: "pattern...",
    ..BEGINS
}}

command! { "`PUNSUBSCRIBE [pattern [pattern ...]]`", PUnsubscribe, end(Kind::Pattern), Spec {
    name: "punsubscribe",
    summary: "Listens to patterns no more, without arguments to none of them.",
    syntax: "[pattern...]",
    ..ENDS
}}

command! { "`SSUBSCRIBE shardchannel [shardchannel ...]`", SSubscribe, begin(Kind::Shard), Spec {
    name: "ssubscribe",
    summary: "Listens to shard channels.",
    since: "7.0.0",
    syntax: "shardchannel...",
    keys: SHARD_CHANNELS,
    ..BEGINS
}}

command! { "`SUNSUBSCRIBE [shardchannel [shardchannel ...]]`", SUnsubscribe, end(Kind::Shard), Spec {
    name: "sunsubscribe",
    summary: "Listens to shard channels no more, without arguments to none of them.",
    since: "7.0.0",
    syntax: "[shardchannel...]",
    keys: SHARD_CHANNELS,
    ..ENDS
}}
