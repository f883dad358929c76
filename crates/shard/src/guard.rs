//! What refuses a command before any part of it runs: no memory left, or a script that takes too long.
//!
//! Home asks when the command is admitted. If shards take part whose own state counts, each is asked
//! again with its PREPARE, and answers a refusal instead of a stamp. Then home has those forget it that
//! proposed, and says why. Nothing has run anywhere, so nothing is undone, and MSET under `maxmemory`
//! changes all of its keys or none.

use stoa_command::{Flags, RequestPolicy};
use stoa_engine::{OUT_OF_MEMORY, Reply, Sessions, Table, refuse_exec};
use stoa_stdx::{ConnId, ShardId};

use crate::Shard;
use crate::gather::How;
use crate::intents::{RowId, Stamp, Work};
use crate::message::{Ask, GatherId, Intent, Step};
use crate::multi::Job;
use crate::reply::{RespReply, error_line};

/// For which reasons a shard may refuse its share of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    /// It may need memory, and there is a limit.
    pub(crate) memory: bool,
    /// A client awaits an answer, be it a refusal. One that is blocked awaits something else.
    pub(crate) busy: bool,
}

impl Shard {
    /// Whether a request of a client of this shard must not run, there being no memory left. In MULTI
    /// whatever is queued takes some, and an EXEC wants what its commands want.
    pub(crate) fn lacks_memory(&mut self, id: ConnId, index: u16) -> bool {
        let spec = &self.node.table.at(index).spec;
        let is_exec = spec.request == RequestPolicy::Exec;
        let table = self.node.table;
        let multi = &self.sessions.at(Sessions::row(id)).multi;
        let needs = spec.flags.has(Flags::DENYOOM)
            || multi.as_ref().is_some_and(|multi| match is_exec {
                true => multi.queue.verdicts().any(|it| needs_memory(table, it.index)),
                false => !spec.flags.has(Flags::IMMEDIATE),
            });
        // Scripts ask later, command by command.
        let may_need = needs || is_exec || self.scripted[usize::from(index)];
        may_need && self.node.weigh_memory(&self.keyspace) && needs
    }

    /// Before a script that was admitted elsewhere or earlier.
    pub(crate) fn weigh_for_script(&mut self) {
        self.node.weigh_memory(&self.keyspace);
    }

    /// For which reasons the shares of this gather may be refused.
    pub(crate) fn guard_of(&mut self, id: GatherId) -> Guard {
        let (table, has_limit) = (self.node.table, self.node.config.maxmemory > 0);
        let gather = self.gathers.get(id);
        let index = gather.index;
        let (waits, job) = match &gather.join {
            How::Loan { request, .. } | How::LoanOfAll { request, .. } => {
                (request.waiter.is_some(), request.job.as_deref())
            }
            How::Bytes { .. } | How::Facts { .. } | How::Walk { .. } | How::Asked { .. } => {
                (false, None)
            }
        };
        let wants = |job: &Job| job.queue.verdicts().any(|it| needs_memory(table, it.index));
        let memory = has_limit && !waits && (needs_memory(table, index) || job.is_some_and(wants));
        Guard { memory, busy: !waits }
    }

    /// Why this shard refuses its share, if it does.
    pub(crate) fn refuses(&mut self, guard: Guard) -> Option<&'static str> {
        if guard.memory && self.node.weigh_memory(&self.keyspace) {
            return Some(OUT_OF_MEMORY);
        }
        self.refusal.filter(|_| guard.busy && self.is_pausing())
    }

    /// Answers a PREPARE with a refusal, if there is a reason. True: it is answered.
    pub(crate) fn refuse_share(&mut self, intent: &mut Intent) -> bool {
        if intent.step == Step::Commit || intent.step == Step::Abort {
            return false;
        }
        intent.refusal = self.refuses(intent.guard);
        if intent.refusal.is_some() {
            self.end_watch_of_share(&intent.then);
        }
        intent.refusal.is_some()
    }

    fn end_watch_of_share(&mut self, share: &Ask) {
        if let Ask::Lend(client @ 1..) | Ask::LendAll(client @ 1..) = *share {
            self.unwatch_of(client);
        }
    }

    /// Home has given a transaction up of which this shard has a row.
    pub(crate) fn forget_share(&mut self, row: RowId) {
        if let Some(Work::Kept(_, batch)) = self.intents.take_work(row) {
            self.end_watch_of_share(&batch.requests[0].ask);
        }
        self.remove_row(row);
    }

    /// All shards have answered, and one has refused: nothing happens anywhere.
    pub(crate) fn give_up(
        &mut self,
        id: GatherId,
        own: Option<RowId>,
        others: Vec<(ShardId, RowId)>,
        why: &'static str,
    ) {
        for (owner, row) in others {
            let intent = Intent {
                step: Step::Abort,
                then: Ask::Execute,
                number: 0,
                stamp: Stamp::default(),
                unix: self.now.unix,
                row: Some(row),
                guard: Guard::default(),
                refusal: None,
            };
            self.send_step(owner, Ask::Intent(Box::new(intent)));
        }
        if let Some(own) = own {
            self.remove_row(own);
        }
        let gather = self.gathers.remove(id);
        let job = match &gather.join {
            How::Loan { request, .. } | How::LoanOfAll { request, .. } => request.job.as_ref(),
            How::Bytes { .. } | How::Facts { .. } | How::Walk { .. } | How::Asked { .. } => None,
        };
        if let Some(job) = job {
            self.unwatch_of(job.client);
        }
        let is_exec = job.is_some();
        let proto = self.sessions.get(gather.conn).map(|session| session.proto).unwrap_or_default();
        let mut reply = Vec::new();
        let mut out = RespReply::new(&mut reply, proto);
        if is_exec {
            refuse_exec(why.as_bytes(), &mut out);
        } else {
            out.error_text(why.as_bytes());
        }
        self.node.commands.rejected(usize::from(gather.index));
        self.node.count_error(error_line(&reply).unwrap_or_default());
        self.answer_waiting(gather.conn, gather.ticket, &reply, gather.stalls);
    }
}

fn needs_memory(table: &Table, index: u16) -> bool {
    table.at(index).spec.flags.has(Flags::DENYOOM)
}
