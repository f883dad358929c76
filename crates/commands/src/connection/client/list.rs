//! CLIENT LIST and INFO: a line for each connection, in the fields that tools parse.

use std::fmt::Write;

use stoa_command::{Args, Arity, ReplyError, RequestPolicy, ResponsePolicy, Spec, parse_int};
use stoa_engine::{Command, Ctx, Part, Proto, Queue, Reply, Session};
use stoa_stdx::MonoMs;

use super::{ClientType, OPERATOR, Typed, client_type, refuse_type};
use crate::connection::CONNECTION;

/// `CLIENT INFO`
pub struct Info;

impl Command for Info {
    const SPEC: Spec = Spec {
        name: "client|info",
        summary: "Describes this connection.",
        since: "6.2.0",
        arity: Arity(2),
        tips: &["nondeterministic_output"],
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let now = ctx.mono;
        let line = line(ctx.session(), now);
        reply.verbatim("txt", line.as_bytes());
        Ok(())
    }
}

/// `CLIENT LIST [TYPE type] [ID id ...]`
pub struct List;

/// Who is listed.
pub enum Who<'a> {
    /// Everybody.
    All,
    /// Those of a type.
    OfType(Typed<'a>),
    /// Those with these numbers, in this order.
    WithIds(Vec<u64>),
}

/// One shard's clients with their lines.
type Lines = Vec<(u64, String)>;

impl Command for List {
    const SPEC: Spec = Spec {
        name: "client|list",
        summary: "Lists the connections.",
        since: "2.4.0",
        complexity: "O(N) for N connections",
        syntax: "[client-type: TYPE (NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id:integer...]",
        arity: Arity(-2),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        tips: &["nondeterministic_output"],
        ..OPERATOR
    };

    type Args<'a> = Who<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Who<'a>, ReplyError> {
        const BAD_ID: ReplyError = ReplyError::Text("ERR Invalid client ID");
        if args.left() == 0 {
            return Ok(Who::All);
        }
        if args.left() == 2 && args.word("TYPE") {
            return client_type(args).map(Who::OfType);
        }
        if args.left() > 1 && args.word("ID") {
            let id = |word: &&[u8]| parse_int(word).map(|id| id as u64).ok_or(BAD_ID);
            return args.rest().iter().map(id).collect::<Result<_, _>>().map(Who::WithIds);
        }
        Err(ReplyError::Syntax)
    }

    fn execute(who: Who<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let part = Self::collect(who, ctx);
        Self::merge(Who::All, vec![part], ctx, reply)
    }

    fn collect(who: Who<'_>, ctx: &mut Ctx<'_>) -> Part {
        let now = ctx.mono;
        let wanted = |session: &&Session| match &who {
            Who::All => true,
            Who::OfType(client_type) => *client_type == Ok(ClientType::of(session)),
            Who::WithIds(ids) => ids.contains(&session.id),
        };
        let lines = ctx.sessions.iter().filter(|session| !session.is_killed).filter(wanted);
        Box::new(lines.map(|session| (session.id, line(session, now))).collect::<Lines>())
    }

    fn merge(
        who: Who<'_>,
        parts: Vec<Part>,
        _: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Who::OfType(Err(word)) = who {
            refuse_type(word, reply);
            return Ok(());
        }
        let mut lines: Lines = Vec::new();
        for part in parts {
            lines.extend(*part.downcast::<Lines>().expect("CLIENT LIST collects lines"));
        }
        lines.sort_unstable_by_key(|(id, _)| *id);
        let mut text = String::new();
        match who {
            Who::All | Who::OfType(_) => lines.iter().for_each(|(_, line)| text.push_str(line)),
            Who::WithIds(ids) => {
                for wanted in ids {
                    if let Ok(at) = lines.binary_search_by_key(&wanted, |(id, _)| *id) {
                        text.push_str(&lines[at].1);
                    }
                }
            }
        }
        reply.verbatim("txt", text.as_bytes());
        Ok(())
    }
}

/// About what an idle connection takes, all its rows together.
const CLIENT_BYTES: usize = 1_024;

/// One connection. `fd` is the row of its connection: a shard never sees a descriptor. Fields of what
/// does not exist here (buffers with a size of their own) are those of a client that uses none.
fn line(session: &Session, now: MonoMs) -> String {
    let seconds = |since: MonoMs| now.0.saturating_sub(since.0) / 1_000;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut flags = String::new();
    let tracking = session.tracking.as_deref();
    let redirect = tracking.map_or(-1, |mode| mode.redirect.cast_signed());
    for (set, flag) in [
        (session.is_subscriber(), 'P'),
        (session.multi.is_some(), 'x'),
        (session.blocked, 'b'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|mode| mode.is_broken), 'R'),
        (tracking.is_some_and(|mode| mode.broadcast), 'B'),
        (session.closing, 'c'),
        (session.is_unix, 'U'),
        (session.no_evict, 'e'),
        (session.no_touch, 'T'),
    ] {
        flags.extend(set.then_some(flag));
    }
    let queue = session.multi.as_ref().map(|multi| &multi.queue);
    let queued = queue.map_or_else(|| "-1".to_owned(), |queue| queue.len().to_string());
    let queued_bytes = queue.map_or(0, Queue::bytes);
    let total = CLIENT_BYTES + session.input_len + session.output_len + queued_bytes;
    let [channels, patterns, shard_channels] = session.subscriptions();
    let mut line = format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={}",
        session.id,
        session.addr,
        session.laddr,
        session.conn.index,
        text(&session.name),
        seconds(session.created),
        seconds(session.active),
        if flags.is_empty() { "N" } else { &flags },
        session.db.0,
    );
    let _ = writeln!(
        line,
        " sub={channels} psub={patterns} ssub={shard_channels} multi={queued} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem={queued_bytes} rbs=0 rbp=0 \
         obl={} oll=0 omem=0 tot-mem={total} events={} cmd={} user=default redir={redirect} resp={} lib-name={} \
         lib-ver={}",
        session.watching.len(),
        session.input_len,
        session.output_len,
        if session.output_len > 0 { "rw" } else { "r" },
        if session.last_command.is_empty() { "NULL" } else { session.last_command },
        if session.proto == Proto::Resp3 { 3 } else { 2 },
        text(&session.lib_name),
        text(&session.lib_ver),
    );
    line
}
