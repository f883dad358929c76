//! PING and ECHO: is anybody there?

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Proto, Reply};

use super::CONNECTION;

/// `PING [message]`
pub struct Ping;

impl Command for Ping {
    const SPEC: Spec = Spec {
        name: "ping",
        summary: "Answers PONG, or the message it was given.",
        since: "1.0.0",
        syntax: "[message]",
        arity: Arity(-1),
        flags: Flags::FAST.with(Flags::IN_SUBSCRIBED),
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..CONNECTION
    };

    type Args<'a> = Option<&'a [u8]>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Option<&'a [u8]>, ReplyError> {
        let message = args.bytes().ok();
        args.end().map_err(|_| ReplyError::WrongArity("ping"))?;
        Ok(message)
    }

    fn execute(
        message: Option<&[u8]>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let session = ctx.session();
        if session.is_subscriber() && session.proto == Proto::Resp2 {
            // Among messages it looks like one.
            reply.array(2);
            reply.bulk(b"pong");
            reply.bulk(message.unwrap_or_default());
            return Ok(());
        }
        match message {
            None => reply.simple("PONG"),
            Some(message) => reply.bulk(message),
        }
        Ok(())
    }
}

/// `ECHO message`
pub struct Echo;

impl Command for Echo {
    const SPEC: Spec = Spec {
        name: "echo",
        summary: "Answers the message it was given.",
        since: "1.0.0",
        syntax: "message",
        arity: Arity(2),
        flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
        ..CONNECTION
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(message: &[u8], _: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.bulk(message);
        Ok(())
    }
}
