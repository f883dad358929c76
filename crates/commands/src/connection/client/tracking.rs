//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO: what a client caches and wants to hear about.

use std::collections::BTreeSet;

use stoa_command::{Args, Arity, ReplyError, RequestPolicy, ResponsePolicy, Spec, parse_int};
use stoa_engine::{Command, Ctx, Part, Reply, TrackingMode};

use crate::connection::CONNECTION;

const ONE_REDIRECT: ReplyError =
    ReplyError::Text("ERR A client can only redirect to a single other client");
const NOBODY: ReplyError =
    ReplyError::Text("ERR The client ID you want redirect to does not exist");
const PREFIX_WITHOUT_BCAST: ReplyError =
    ReplyError::Text("ERR PREFIX option requires BCAST mode to be enabled");
const BCAST_SWITCHES: ReplyError = ReplyError::Text(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
     re-enabling it with a different mode.",
);
const BCAST_ALONE: ReplyError =
    ReplyError::Text("ERR OPTIN and OPTOUT are not compatible with BCAST");
const ONE_OPT: ReplyError =
    ReplyError::Text("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OPT_SWITCHES: ReplyError = ReplyError::Text(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
     re-enabling it with a different mode.",
);
const NOT_TRACKING: ReplyError = ReplyError::Text(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
     mode enabled",
);
const NOT_OPT_IN: ReplyError = ReplyError::Text(
    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
);
const NOT_OPT_OUT: ReplyError = ReplyError::Text(
    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
);

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
pub struct Tracking;

/// How to track, if at all.
#[derive(Default)]
pub struct TrackingArgs<'a> {
    on: bool,
    /// As it was said: there need be no such client.
    redirect: Option<i64>,
    prefixes: Vec<&'a [u8]>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
}

impl<'a> TrackingArgs<'a> {
    fn read(&mut self, args: &mut Args<'a>) -> Result<(), ReplyError> {
        if args.left() > 1 && args.word("REDIRECT") {
            if self.redirect.is_some() {
                return Err(ONE_REDIRECT);
            }
            self.redirect = Some(parse_int(args.bytes()?).ok_or(ReplyError::NotInteger)?);
        } else if args.word("BCAST") {
            self.broadcast = true;
        } else if args.word("OPTIN") {
            self.opt_in = true;
        } else if args.word("OPTOUT") {
            self.opt_out = true;
        } else if args.word("NOLOOP") {
            self.no_loop = true;
        } else if args.left() > 1 && args.word("PREFIX") {
            self.prefixes.push(args.bytes()?);
        } else {
            return Err(ReplyError::Syntax);
        }
        Ok(())
    }

    /// Refuses what does not go together, or not with how the client tracks already.
    fn check(&self, old: Option<&TrackingMode>) -> Result<(), ReplyError> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(PREFIX_WITHOUT_BCAST);
        }
        if old.is_some_and(|old| old.broadcast != self.broadcast) {
            return Err(BCAST_SWITCHES);
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(BCAST_ALONE);
        }
        if self.opt_in && self.opt_out {
            return Err(ONE_OPT);
        }
        if old.is_some_and(|old| self.opt_in && old.opt_out || self.opt_out && old.opt_in) {
            return Err(OPT_SWITCHES);
        }
        Ok(())
    }

    /// The first prefix that overlaps with one of the client's or another one given, with that, and
    /// which it is.
    fn overlap(&self, old: Option<&'a TrackingMode>) -> Option<(&'a [u8], &'a [u8], &'static str)> {
        let old = old.filter(|old| old.broadcast);
        self.prefixes.iter().enumerate().find_map(|(at, prefix)| {
            let overlaps = |other: &&[u8]| prefix.starts_with(other) || other.starts_with(prefix);
            let mut known = old.iter().flat_map(|old| &old.prefixes).map(Vec::as_slice);
            let existing = known.find(overlaps).map(|it| (*prefix, it, "an existing prefix"));
            let mut rest = self.prefixes[at + 1..].iter().copied();
            existing
                .or_else(|| rest.find(overlaps).map(|it| (*prefix, it, "another provided prefix")))
        })
    }

    fn mode(self) -> TrackingMode {
        let mut prefixes: BTreeSet<Vec<u8>> = self.prefixes.iter().map(|it| it.to_vec()).collect();
        if self.broadcast && prefixes.is_empty() {
            prefixes.insert(Vec::new());
        }
        let redirect = self.redirect.map_or(0, i64::cast_unsigned);
        let Self { broadcast, opt_in, opt_out, no_loop, .. } = self;
        let mode = TrackingMode { redirect, broadcast, opt_in, opt_out, ..TrackingMode::default() };
        TrackingMode { no_loop, prefixes, ..mode }
    }
}

impl Command for Tracking {
    const SPEC: Spec = Spec {
        name: "client|tracking",
        summary: "Tells this connection when keys that it caches change, or no longer.",
        since: "6.0.0",
        complexity: "O(1), and O(N) for N prefixes or prefixes of before",
        syntax: "(status: ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix:string ...] [BCAST] \
                 [OPTIN] [OPTOUT] [NOLOOP]",
        arity: Arity(-3),
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Merge,
        ..CONNECTION
    };

    type Args<'a> = TrackingArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<TrackingArgs<'a>, ReplyError> {
        let status = args.bytes()?;
        let mut tracking =
            TrackingArgs { on: status.eq_ignore_ascii_case(b"on"), ..TrackingArgs::default() };
        while args.left() > 0 {
            tracking.read(args)?;
        }
        if !tracking.on && !status.eq_ignore_ascii_case(b"off") {
            return Err(ReplyError::Syntax);
        }
        Ok(tracking)
    }

    fn execute(
        args: TrackingArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let part =
            Self::collect(TrackingArgs { redirect: args.redirect, ..Default::default() }, ctx);
        Self::merge(args, vec![part], ctx, reply)
    }

    /// Whether the client that is to hear in its place is one of this shard's.
    fn collect(args: TrackingArgs<'_>, ctx: &mut Ctx<'_>) -> Part {
        let is_it = |id: i64| ctx.sessions.iter().any(|session| session.id as i64 == id);
        Box::new(args.redirect.is_some_and(is_it))
    }

    fn merge(
        args: TrackingArgs<'_>,
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let found = |part: &Part| {
            *part.downcast_ref::<bool>().expect("CLIENT TRACKING collects who is there")
        };
        if args.redirect.is_some() && !parts.iter().any(found) {
            return Err(NOBODY);
        }
        if !args.on {
            ctx.untrack_client();
            reply.ok();
            return Ok(());
        }
        let old = ctx.session().tracking.clone();
        args.check(old.as_deref())?;
        if let Some((prefix, other, which)) = args.overlap(old.as_deref()) {
            reply.error_words(&[
                b"ERR Prefix '",
                prefix,
                b"' overlaps with ",
                which.as_bytes(),
                b" '",
                other,
                b"'. Prefixes for a single client must not overlap.",
            ]);
            return Ok(());
        }
        ctx.track_client(args.mode());
        reply.ok();
        Ok(())
    }
}

/// `CLIENT CACHING YES | NO`
pub struct Caching;

impl Command for Caching {
    const SPEC: Spec = Spec {
        name: "client|caching",
        summary: "Says whether the next command's keys are cached, as an exception.",
        since: "6.0.0",
        syntax: "(mode: YES | NO)",
        arity: Arity(3),
        ..CONNECTION
    };

    type Args<'a> = &'a [u8];

    fn parse<'a>(args: &mut Args<'a>) -> Result<&'a [u8], ReplyError> {
        args.bytes()
    }

    fn execute(word: &[u8], ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        if ctx.session().tracking.is_none() {
            return Err(NOT_TRACKING);
        }
        let (yes, no) = (word.eq_ignore_ascii_case(b"yes"), word.eq_ignore_ascii_case(b"no"));
        if !yes && !no {
            return Err(ReplyError::Syntax);
        }
        if !ctx.except_next(yes) {
            return Err(if yes { NOT_OPT_IN } else { NOT_OPT_OUT });
        }
        reply.ok();
        Ok(())
    }
}

/// What GETREDIR and TRACKINGINFO say of a redirect.
fn redirect_of(mode: Option<&TrackingMode>) -> i64 {
    mode.map_or(-1, |mode| mode.redirect.cast_signed())
}

/// `CLIENT GETREDIR`
pub struct GetRedir;

impl Command for GetRedir {
    const SPEC: Spec = Spec {
        name: "client|getredir",
        summary: "Answers who hears about this connection's cached keys: 0 itself, -1 nobody.",
        since: "6.0.0",
        arity: Arity(2),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        reply.int(redirect_of(ctx.session().tracking.as_deref()));
        Ok(())
    }
}

/// `CLIENT TRACKINGINFO`
pub struct TrackingInfo;

impl Command for TrackingInfo {
    const SPEC: Spec = Spec {
        name: "client|trackinginfo",
        summary: "Answers how this connection tracks what it caches.",
        since: "6.2.0",
        arity: Arity(2),
        ..CONNECTION
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let tracking = ctx.session().tracking.clone();
        let mode = tracking.as_deref();
        let has = |flag: fn(&TrackingMode) -> bool| mode.is_some_and(flag);
        let flags = [
            (mode.is_some(), "on"),
            (mode.is_none(), "off"),
            (has(|mode| mode.broadcast), "bcast"),
            (has(|mode| mode.opt_in), "optin"),
            (has(|mode| mode.opt_in && mode.caching), "caching-yes"),
            (has(|mode| mode.opt_out), "optout"),
            (has(|mode| mode.opt_out && mode.caching), "caching-no"),
            (has(|mode| mode.no_loop), "noloop"),
            (has(|mode| mode.is_broken), "broken_redirect"),
        ];
        reply.map(3);
        reply.bulk(b"flags");
        reply.set(flags.iter().filter(|(set, _)| *set).count());
        for (_, flag) in flags.iter().filter(|(set, _)| *set) {
            reply.bulk(flag.as_bytes());
        }
        reply.bulk(b"redirect");
        reply.int(redirect_of(mode));
        reply.bulk(b"prefixes");
        reply.array(mode.map_or(0, |mode| mode.prefixes.len()));
        for prefix in mode.iter().flat_map(|mode| &mode.prefixes) {
            reply.bulk(prefix);
        }
        Ok(())
    }
}
