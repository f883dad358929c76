//! CLIENT KILL: ends connections, by the address of one or by filters that all must fit.

use stoa_command::{Args, Arity, ReplyError, RequestPolicy, ResponsePolicy, Spec, parse_int};
use stoa_engine::{Command, Ctx, Order, Part, Reply, Session};
use stoa_stdx::MonoMs;

use super::{ClientType, OPERATOR, Typed, client_type, refuse_type};

const BAD_ID: ReplyError = ReplyError::Text("ERR client-id should be greater than 0");
const BAD_AGE: ReplyError = ReplyError::Text("ERR maxage is not an integer or out of range");
const NO_AGE: ReplyError = ReplyError::Text("ERR maxage should be greater than 0");
const NOBODY: ReplyError = ReplyError::Text("ERR No such client");

/// `CLIENT KILL addr` or `CLIENT KILL filter value ...`
pub struct Kill;

/// Whom to end. What is not said fits everybody.
#[derive(Default)]
pub struct Filter<'a> {
    /// The old form: one address, answered with OK instead of a count.
    one: bool,
    id: Option<u64>,
    client_type: Option<Typed<'a>>,
    user: Option<&'a [u8]>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    age_s_min: Option<u64>,
    spares_me: bool,
}

impl<'a> Filter<'a> {
    fn read(&mut self, args: &mut Args<'a>) -> Result<(), ReplyError> {
        if args.word("ID") {
            let id = parse_int(args.bytes()?).filter(|id| *id > 0).ok_or(BAD_ID)?;
            self.id = Some(id as u64);
        } else if args.word("MAXAGE") {
            let age = parse_int(args.bytes()?).ok_or(BAD_AGE)?;
            self.age_s_min = Some(u64::try_from(age).ok().filter(|age| *age > 0).ok_or(NO_AGE)?);
        } else if args.word("TYPE") {
            self.client_type = Some(client_type(args)?);
        } else if args.word("ADDR") {
            self.addr = Some(args.bytes()?);
        } else if args.word("LADDR") {
            self.laddr = Some(args.bytes()?);
        } else if args.word("USER") {
            self.user = Some(args.bytes()?);
        } else if args.word("SKIPME") {
            self.spares_me = args.choice(&[("YES", true), ("NO", false)])?;
        } else {
            return Err(ReplyError::Syntax);
        }
        Ok(())
    }

    /// The user who does not exist, if one is named.
    fn nobody(&self) -> Option<&'a [u8]> {
        self.user.filter(|user| *user != b"default")
    }

    /// Whether a word names nothing: it is refused by that word.
    fn is_wrong(&self) -> bool {
        matches!(self.client_type, Some(Err(_))) || self.nobody().is_some()
    }

    fn takes(&self, session: &Session, now: MonoMs) -> bool {
        let age_s = now.0.saturating_sub(session.created.0) / 1_000;
        self.id.is_none_or(|id| id == session.id)
            && self.client_type.is_none_or(|wanted| wanted == Ok(ClientType::of(session)))
            && self.addr.is_none_or(|addr| addr == session.addr.as_bytes())
            && self.laddr.is_none_or(|laddr| laddr == session.laddr.as_bytes())
            && self.age_s_min.is_none_or(|min| age_s >= min)
    }
}

impl Command for Kill {
    const SPEC: Spec = Spec {
        name: "client|kill",
        summary: "Ends connections.",
        since: "2.4.0",
        complexity: "O(N) for N connections",
        syntax: "(filter: old-format | (new-format: [ID client-id:integer] | \
                 [client-type: TYPE (NORMAL | MASTER | SLAVE | REPLICA | PUBSUB)] | \
                 [USER username] | [ADDR addr] | [LADDR laddr] | [skipme: SKIPME (YES | NO)] | \
                 [MAXAGE maxage:integer])...)",
        arity: Arity(-3),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        ..OPERATOR
    };

    type Args<'a> = Filter<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Filter<'a>, ReplyError> {
        if args.left() == 1 {
            let addr = Some(args.bytes()?);
            return Ok(Filter { one: true, addr, ..Filter::default() });
        }
        let mut filter = Filter { spares_me: true, ..Filter::default() };
        // What names nothing is told before what comes behind it is looked at.
        while args.left() > 0 && !filter.is_wrong() {
            filter.read(args)?;
        }
        args.rest();
        Ok(filter)
    }

    fn execute(
        filter: Filter<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let one = filter.one;
        let part = Self::collect(filter, ctx);
        Self::merge(Filter { one, ..Filter::default() }, vec![part], ctx, reply)
    }

    /// Ends those of this shard; says how many.
    fn collect(filter: Filter<'_>, ctx: &mut Ctx<'_>) -> Part {
        let mut killed = 0_u64;
        if filter.is_wrong() {
            return Box::new(killed);
        }
        let (me, now) = (ctx.session().id, ctx.mono);
        for session in ctx.sessions.iter_mut() {
            let is_me = session.id == me;
            if session.is_killed || !filter.takes(session, now) || is_me && filter.spares_me {
                continue;
            }
            killed += 1;
            if is_me {
                // Who asks hears the answer first.
                session.closing = true;
            } else {
                session.is_killed = true;
                ctx.node.orders.push(Order::Kill(session.id));
            }
        }
        Box::new(killed)
    }

    fn merge(
        filter: Filter<'_>,
        parts: Vec<Part>,
        _: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Some(Err(word)) = filter.client_type {
            refuse_type(word, reply);
            return Ok(());
        }
        if let Some(user) = filter.nobody() {
            reply.error_echo("ERR No such user '", user, "'");
            return Ok(());
        }
        let count = |part: &Part| *part.downcast_ref::<u64>().expect("CLIENT KILL collects counts");
        let killed: u64 = parts.iter().map(count).sum();
        match (filter.one, killed) {
            (true, 0) => return Err(NOBODY),
            (true, _) => reply.ok(),
            (false, _) => reply.int(killed as i64),
        }
        Ok(())
    }
}
