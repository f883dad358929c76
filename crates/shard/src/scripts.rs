//! Scripts that want keys they did not declare, and SORT, whose patterns lead to any.
//!
//! A script runs where the keys are that it declares, like any command. If it then asks for another
//! one, which may be on another shard or held by a transaction, it is stopped, what it changed is put
//! back, and it runs again where all keys are: every shard lends all it has. Its name is remembered,
//! and the next time it goes there at once. On one shard all keys are at hand, and nothing of this
//! happens.

use stoa_command::{BeginSearch, Group, RequestPolicy, Spec};
use stoa_engine::{Escape, Sessions, run};
use stoa_stdx::{ConnId, Key};

use crate::Shard;
use crate::busy::Running;
use crate::conn::Stall;
use crate::execute::Req;
use crate::gather::{Gather, How, Kept};
use crate::message::{Args as ArgStore, Request};
use crate::publish::NO_ROW;
use crate::reply::RespReply;
use crate::sites::Site;

/// Names of scripts that are remembered. More are forgotten all at once: each costs one run in vain.
const REMEMBERED_MAX: usize = 10_000;

/// A script of another shard's client must run where all keys are.
#[derive(Debug)]
pub(crate) struct Escaped(pub(crate) Escape);

/// Whether a command runs what may ask for keys that it does not declare.
pub(crate) fn may_escape(spec: &Spec) -> bool {
    let finds_keys = spec.keys.iter().any(|keys| keys.begin == BeginSearch::Unknown);
    spec.request == RequestPolicy::Keys
        && (finds_keys || spec.group == Group::Scripting && !spec.keys.is_empty())
}

impl Shard {
    /// Whether a request runs a script, on a node where that may have to run elsewhere.
    #[inline]
    pub(crate) fn is_scripted(&self, index: u16) -> bool {
        self.node.shards > 1 && self.scripted[index as usize]
    }

    /// Whether the script of a request is known to want all keys. Then it gets them.
    pub(crate) fn goes_to_all(&mut self, req: Req<'_>) -> bool {
        let goes = self.is_scripted(req.verdict.index) && self.wants_all(req.argv);
        if goes {
            let db = self.sessions.at(Sessions::row(req.conn)).db;
            self.borrow_all(req, Kept::of(req, db), 0);
        }
        goes
    }

    fn wants_all(&self, argv: &[&[u8]]) -> bool {
        self.escaped.contains(&self.keyspace.seed().hash(argv[1]))
    }

    pub(crate) fn remember(&mut self, escape: Escape, argv: &[&[u8]]) {
        // Once every shard has it, it may well do with the keys it declares.
        if escape == Escape::Unshared {
            return;
        }
        if self.escaped.len() >= REMEMBERED_MAX || self.rarely(Site::ForgetScripts) {
            self.escaped.clear();
        }
        self.escaped.insert(self.keyspace.seed().hash(argv[1]));
    }

    /// Runs a script on keys of this shard, for a client of this shard.
    pub(crate) fn run_script(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        let muted = self.takes_mute(req.conn);
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(muted);
        let row = Sessions::row(req.conn);
        let db = self.sessions.at(row).db;
        let proto = self.sessions.at(row).proto;
        let entry = self.node.table.at(req.verdict.index);
        let mut out = Vec::new();
        self.begin_script();
        let mut ctx = self.context(row, None);
        ctx.key = key;
        run(entry, req.argv, req.verdict.args_at, &mut ctx, &mut RespReply::new(&mut out, proto));
        if self.is_pausing() {
            let run = Running { proto, may_escape: true, ..Running::default() };
            return self.pause_client(req, ticket, db, run);
        }
        if let Some(escape) = self.undo_escape() {
            self.remember(escape, req.argv);
            self.borrow_all_into(req.conn, ticket, Kept::of(req, db));
            return;
        }
        self.ran_whole(req.verdict.index, &out);
        self.publish_then_answer(req.conn, ticket, out, false);
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        self.serve_waiters();
    }

    /// Before a script that may have to be undone. What others said goes first: it stays said.
    pub(crate) fn begin_script(&mut self) {
        if self.is_stirred() {
            self.send_outbox(NO_ROW);
        }
        self.weigh_for_script();
        self.keyspace.begin_undo();
    }

    /// After a script: if it wants keys that are not here, undoes what it did, and says so.
    pub(crate) fn undo_escape(&mut self) -> Option<Escape> {
        let Some(escape) = self.node.scripts.escape.take() else {
            self.keyspace.end_undo();
            return None;
        };
        self.keyspace.roll_back(self.now.unix);
        self.keyspace.notices.take();
        self.node.pubsub.take_outbox();
        if self.keyspace.tells_changes() {
            self.tell_undone();
        }
        Some(escape)
    }

    /// A script that was sent to the owner of its keys came back: it wants all keys.
    pub(crate) fn escaped(
        &mut self,
        escape: Escape,
        (conn, ticket): (ConnId, u32),
        request: &Request,
        args: &ArgStore,
    ) {
        let argv: Vec<&[u8]> = args.get(request.argv).collect();
        self.remember(escape, &argv);
        let verdict =
            stoa_engine::Verdict { index: request.index, args_at: request.args_at as usize };
        let kept = Kept::of(Req { conn, verdict, argv: &argv }, request.db);
        self.borrow_all_into(conn, ticket, kept);
    }

    /// As [`Shard::borrow_all`], for a request whose reply has its place already.
    pub(crate) fn borrow_all_into(&mut self, conn: ConnId, ticket: u32, request: Kept) {
        if self.conn(conn).is_some() {
            self.stall(conn, Stall::Answer);
        }
        let verdict = request.verdict;
        let how = How::LoanOfAll { request, loans: Vec::new(), own: None };
        let missing = self.node.shards as usize;
        let id = self.gathers.add(Gather::waiting(verdict.index, conn, ticket, missing, how));
        self.begin_on_all(Req { conn, verdict, argv: &[] }, id, 0);
    }
}
