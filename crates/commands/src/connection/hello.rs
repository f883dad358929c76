//! HELLO: chooses the protocol version, and says who answers.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Proto, Reply};
use stoa_observability::info::REDIS_VERSION;

use super::auth::Credentials;
use super::client::name::Word;
use super::{ALWAYS, CONNECTION};

const NOT_A_VERSION: ReplyError =
    ReplyError::Text("ERR Protocol version is not an integer or out of range");

const UNSUPPORTED: ReplyError = ReplyError::Text("NOPROTO unsupported protocol version");

const STRANGER: ReplyError = ReplyError::Text(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
     AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
     version at the same time",
);

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
pub struct Hello;

/// The arguments of HELLO.
#[derive(Default)]
pub struct HelloArgs<'a> {
    proto: Option<Proto>,
    credentials: Option<Credentials<'a>>,
    name: Option<Word<'a>>,
    /// The first option that is none: refused by name.
    wrong: Option<&'a [u8]>,
}

impl Command for Hello {
    const SPEC: Spec = Spec {
        name: "hello",
        summary: "Greets the server and chooses the protocol version.",
        since: "6.0.0",
        syntax: "[arguments: protover:integer [auth: AUTH username password] [SETNAME clientname]]",
        arity: Arity(-1),
        flags: ALWAYS,
        ..CONNECTION
    };

    type Args<'a> = HelloArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<HelloArgs<'a>, ReplyError> {
        let mut hello = HelloArgs::default();
        if args.left() == 0 {
            return Ok(hello);
        }
        hello.proto = match args.int().map_err(|_| NOT_A_VERSION)? {
            2 => Some(Proto::Resp2),
            3 => Some(Proto::Resp3),
            _ => return Err(UNSUPPORTED),
        };
        while let Some(option) = args.peek() {
            if args.left() >= 3 && args.word("AUTH") {
                let (user, password) = (args.bytes()?, args.bytes()?);
                hello.credentials = Some(Credentials { user, password });
            } else if args.left() >= 2 && args.word("SETNAME") {
                hello.name = Some(Word::client_name(args.bytes()?)?);
            } else {
                hello.wrong = Some(option);
                args.rest();
            }
        }
        Ok(hello)
    }

    fn execute(
        args: HelloArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Some(option) = args.wrong {
            reply.error_echo("ERR Syntax error in HELLO option '", option, "'");
            return Ok(());
        }
        if let Some(credentials) = args.credentials {
            credentials.check(ctx)?;
        }
        if !ctx.session().authenticated {
            return Err(STRANGER);
        }
        let session = ctx.session();
        if let Some(name) = args.name {
            session.name = name.to_vec().into();
        }
        if let Some(proto) = args.proto {
            session.proto = proto;
            reply.set_proto(proto);
        }
        let (id, proto) = (session.id, session.proto);
        reply.map(7);
        let mut text = |field: &str, value: &str| {
            reply.bulk(field.as_bytes());
            reply.bulk(value.as_bytes());
        };
        text("server", "redis");
        text("version", REDIS_VERSION);
        reply.bulk(b"proto");
        reply.int(if proto == Proto::Resp3 { 3 } else { 2 });
        reply.bulk(b"id");
        reply.int(id as i64);
        let mut text = |field: &str, value: &str| {
            reply.bulk(field.as_bytes());
            reply.bulk(value.as_bytes());
        };
        text("mode", "standalone");
        text("role", "master");
        reply.bulk(b"modules");
        reply.array(0);
        Ok(())
    }
}
