//! From a request to its reply on one shard: look up, refuse what needs no key, parse, execute.

use stoa_command::{Args, Flags, ReplyError, RequestPolicy};

use crate::reply::c_string;
use crate::{Ctx, Entry, Proto, Reply, Session, Table};

/// Why a request never reached its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No command of that name.
    UnknownCommand,
    /// The container at this index has no such subcommand.
    UnknownSubcommand(u16),
    /// A command's (at this index) own refusal.
    Error(Option<u16>, ReplyError),
}

/// A request that may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its row in the table.
    pub index: u16,
    /// Where its arguments begin: 1, or 2 after a subcommand.
    pub args_at: usize,
}

/// Looks up a request and refuses what can be refused before parsing.
///
/// # Errors
/// See [`Refusal`].
#[inline]
pub fn admit(table: &Table, argv: &[&[u8]], session: &Session) -> Result<Verdict, Refusal> {
    admit_found(table, table.find(argv[0]), argv, session)
}

/// As [`admit`], for a name that was looked up before.
///
/// # Errors
/// See [`Refusal`].
#[inline]
pub fn admit_found(
    table: &Table,
    found: Option<u16>,
    argv: &[&[u8]],
    session: &Session,
) -> Result<Verdict, Refusal> {
    let mut index = found.ok_or(Refusal::UnknownCommand)?;
    let mut args_at = 1;
    let mut spec = &table.at(index).spec;
    if spec.flags.has(Flags::CONTAINER) && argv.len() > 1 {
        index = table.find_child(index, argv[1]).ok_or(Refusal::UnknownSubcommand(index))?;
        spec = &table.at(index).spec;
        args_at = 2;
    }
    // A container that does nothing by itself says so by its arity; COMMAND answers alone, too.
    if !spec.arity.admits(argv.len()) {
        return Err(Refusal::Error(Some(index), ReplyError::WrongArity(spec.name)));
    }
    if !session.authenticated && !spec.flags.has(Flags::NO_AUTH) {
        return Err(Refusal::Error(Some(index), ReplyError::NoAuth));
    }
    // Its replies could not be told from messages; RESP3 has pushes.
    if session.is_subscriber()
        && session.proto == Proto::Resp2
        && !spec.flags.has(Flags::IN_SUBSCRIBED)
    {
        return Err(Refusal::Error(Some(index), ReplyError::Subscribed(spec.name)));
    }
    Ok(Verdict { index, args_at })
}

/// Parses and executes. An error rewinds what was written and takes its place.
/// True when the command succeeded.
#[inline]
pub fn run(
    entry: &Entry,
    argv: &[&[u8]],
    at: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> bool {
    let mark = reply.mark();
    let dirty = ctx.node.dirty;
    let good = match (entry.execute)(&mut Args::new(argv, at), ctx, reply) {
        Ok(()) => true,
        Err(error) => {
            reply.rewind(mark);
            reply.error(error);
            false
        }
    };
    if ctx.keyspace.has_notes() {
        ctx.keyspace.settle_notes(ctx.node.dirty != dirty);
    }
    if ctx.keyspace.tells_changes() {
        ctx.track(&entry.spec, argv, at);
    }
    good
}

/// Refuses EXEC: the transaction is over, and the answer says why.
pub fn refuse_exec(why: &[u8], reply: &mut dyn Reply) {
    let why = why.strip_prefix(b"ERR ").unwrap_or(why);
    reply.error_text(&[b"EXECABORT Transaction discarded because of: ", why].concat());
}

/// The most of a client's own words that the refusal of an unknown name repeats, bytes.
const ECHO_LEN_MAX: usize = 128;

/// Writes a refusal.
pub fn refuse(table: &Table, argv: &[&[u8]], refusal: Refusal, reply: &mut dyn Reply) {
    match refusal {
        Refusal::Error(Some(index), error)
            if table.at(index).spec.request == RequestPolicy::Exec =>
        {
            refuse_exec(error.to_string().as_bytes(), reply);
        }
        Refusal::Error(_, error) => reply.error(error),
        Refusal::UnknownSubcommand(parent) => {
            let name = table.at(parent).spec.name.to_ascii_uppercase();
            let word = echo(argv[1], ECHO_LEN_MAX);
            reply.error_echo("ERR unknown subcommand '", word, &format!("'. Try {name} HELP."));
        }
        Refusal::UnknownCommand => reply.error_text(&unknown_command(argv)),
    }
}

fn unknown_command(argv: &[&[u8]]) -> Vec<u8> {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(echo(argv[0], ECHO_LEN_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for arg in &argv[1..] {
        // The quotes count, as in the reference.
        let used = text.len() - start;
        if used >= ECHO_LEN_MAX {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(echo(arg, ECHO_LEN_MAX - used));
        text.extend_from_slice(b"' ");
    }
    text
}

/// The start of a client's word, as an error repeats it.
fn echo(word: &[u8], len_max: usize) -> &[u8] {
    c_string(&word[..word.len().min(len_max)])
}
