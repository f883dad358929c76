//! PUBLISH and SPUBLISH: says something to whoever listens.
//!
//! The answer is known at once, also in a transaction or script: every shard counts the listeners of
//! all. It leaves once the message has reached their connections.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Kind, Reply};

use super::CHANNELS;

/// `PUBLISH channel message`
pub struct Publish;

/// `SPUBLISH shardchannel message`
pub struct SPublish;

impl Command for Publish {
    const SPEC: Spec = Spec {
        name: "publish",
        summary: "Sends a message to a channel; answers how many clients it goes to.",
        since: "2.0.0",
        complexity: "O(N+M), N clients that listen and M patterns of all clients.",
        syntax: "channel message",
        arity: Arity(3),
        flags: CHANNELS.flags.with(Flags::FAST),
        ..CHANNELS
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (channel, message): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.int(ctx.publish(Kind::Channel, channel, message) as i64);
        Ok(())
    }
}

impl Command for SPublish {
    const SPEC: Spec = Spec {
        name: "spublish",
        summary: "Sends a message to a shard channel; answers how many clients it goes to.",
        since: "7.0.0",
        complexity: "O(N), N clients that listen.",
        syntax: "shardchannel message",
        keys: &[KeySpec::first(KeyFlags::NOT_KEY)],
        ..Publish::SPEC
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Publish::parse(args)
    }

    fn execute(
        (channel, message): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        reply.int(ctx.publish(Kind::Shard, channel, message) as i64);
        Ok(())
    }
}
