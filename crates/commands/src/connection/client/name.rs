//! CLIENT GETNAME, SETNAME, SETINFO: what a client calls itself and its library.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use crate::connection::CONNECTION;

const BAD_NAME: ReplyError =
    ReplyError::Text("ERR Client names cannot contain spaces, newlines or special characters.");

/// What a client says of itself: printable, without spaces, so that it cannot break a line of
/// CLIENT LIST.
#[derive(Clone, Copy)]
pub struct Word<'a>(&'a [u8]);

impl<'a> Word<'a> {
    fn checked(word: &'a [u8]) -> Option<Self> {
        word.iter().all(u8::is_ascii_graphic).then_some(Self(word))
    }

    /// A client's name.
    pub(crate) fn client_name(word: &'a [u8]) -> Result<Self, ReplyError> {
        Self::checked(word).ok_or(BAD_NAME)
    }

    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// `CLIENT GETNAME`
pub struct GetName;

impl Command for GetName {
    const SPEC: Spec = Spec {
        name: "client|getname",
        summary: "Answers the name of this connection.",
        since: "2.6.9",
        arity: Arity(2),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        match &ctx.session().name {
            name if name.is_empty() => reply.null(),
            name => reply.bulk(name),
        }
        Ok(())
    }
}

/// `CLIENT SETNAME connection-name`
pub struct SetName;

impl Command for SetName {
    const SPEC: Spec = Spec {
        name: "client|setname",
        summary: "Names this connection; an empty name takes the name away.",
        since: "2.6.9",
        syntax: "connection-name",
        arity: Arity(3),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..CONNECTION
    };

    type Args<'a> = Word<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Word<'a>, ReplyError> {
        Word::client_name(args.bytes()?)
    }

    fn execute(name: Word<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        ctx.session().name = name.to_vec().into();
        reply.ok();
        Ok(())
    }
}

/// `CLIENT SETINFO LIB-NAME libname | LIB-VER libver`
pub struct SetInfo;

/// What SETINFO tells about.
pub enum Info<'a> {
    /// The library's name.
    LibName(Word<'a>),
    /// Its version.
    LibVer(Word<'a>),
    /// Nothing there is a place for; refused by its name.
    Unknown(&'a [u8]),
    /// A value that would break a line of CLIENT LIST; refused by the attribute's name.
    Unprintable(&'a [u8]),
}

impl Command for SetInfo {
    const SPEC: Spec = Spec {
        name: "client|setinfo",
        summary: "Tells which library this connection is used by.",
        since: "7.2.0",
        syntax: "(attr: LIB-NAME libname | LIB-VER libver)",
        arity: Arity(4),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..CONNECTION
    };

    type Args<'a> = Info<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Info<'a>, ReplyError> {
        let (attribute, value) = (args.bytes()?, args.bytes()?);
        let info: fn(Word<'a>) -> Info<'a> = if attribute.eq_ignore_ascii_case(b"lib-name") {
            Info::LibName
        } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
            Info::LibVer
        } else {
            return Ok(Info::Unknown(attribute));
        };
        Ok(Word::checked(value).map_or(Info::Unprintable(attribute), info))
    }

    fn execute(info: Info<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        match info {
            Info::LibName(name) => ctx.session().lib_name = name.to_vec().into(),
            Info::LibVer(version) => ctx.session().lib_ver = version.to_vec().into(),
            Info::Unknown(attribute) => {
                reply.error_echo("ERR Unrecognized option '", attribute, "'");
                return Ok(());
            }
            Info::Unprintable(attribute) => {
                let why = " cannot contain spaces, newlines or special characters.";
                reply.error_echo("ERR ", attribute, why);
                return Ok(());
            }
        }
        reply.ok();
        Ok(())
    }
}
