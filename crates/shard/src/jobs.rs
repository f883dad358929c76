//! What a shard does for commands between other work, and runs them again when it is done: copies of large
//! values, keys given to other servers.
//!
//! A command that wants it has run and said nothing (see [`Job`]). Its keys are held by a row of
//! intents, so whoever wants them waits, and nobody else does; a portion is done in each pass; then
//! the request runs again, as of the moment at which it came, and its reply goes where it was to go. If
//! its keys are of several shards it runs here on borrowed ones, and those stay out of this shard's
//! keyspace meanwhile: what counts or walks over keys would take them for its own.

use stoa_engine::{Job, ReplyMode};
use stoa_stdx::{ShardId, UnixMs};

use crate::Shard;
use crate::execute::Req;
use crate::intents::{RowId, Scope, Work};
use crate::message::{Args as ArgStore, Ask, Batch, Dest, Request};
use crate::places::Routed;
use crate::transact::Lending;

/// A job under way, and who waits for it.
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) whose: Whose,
}

/// What is to be done when it is over.
pub(crate) enum Whose {
    /// A request on keys of this shard, alone in its batch.
    Kept { home: ShardId, batch: Box<Batch>, row: Option<RowId> },
    /// A request that runs here on borrowed keys.
    Loan(Lending),
}

impl Shard {
    /// A client of this shard wants it; all keys are here.
    pub(crate) fn job_at_home(&mut self, req: Req<'_>, mode: ReplyMode, job: Job) {
        let Some(ticket) = self.hole_for(req.conn, mode) else { return };
        let dest = Dest::Hole { conn: req.conn, ticket };
        let mut batch = self.spare_kept();
        self.put_request(&mut batch, req, dest, Ask::Execute, Routed::No);
        // One whose turn came holds its keys already.
        let row = self.conn(req.conn).filter(|conn| conn.has_turn).and_then(|conn| {
            conn.has_turn = false;
            conn.row.take()
        });
        let row = row.unwrap_or_else(|| self.job_row(&batch));
        self.job_for(self.node.shard, batch, job, Some(row));
    }

    /// Another shard asked for it, in a batch with others.
    pub(crate) fn job_of_request(
        &mut self,
        from: ShardId,
        request: &Request,
        args: &ArgStore,
        job: Job,
    ) {
        let batch = self.keep(request, Ask::Execute, args);
        let row = self.job_row(&batch);
        self.job_for(from, batch, job, Some(row));
    }

    /// Nothing was in the way of the request, or it would not have run: its row is in front.
    fn job_row(&mut self, batch: &Batch) -> RowId {
        let order = self.order_here();
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        self.add_row(order, true, scope.unwrap_or(Scope::Keys(Vec::new())), Work::Hold)
    }

    /// Without a row, the one that the request runs from: see [`Shard::keep_job_row`].
    pub(crate) fn job_for(
        &mut self,
        home: ShardId,
        mut batch: Box<Batch>,
        job: Job,
        row: Option<RowId>,
    ) {
        batch.moment = Some(self.unix());
        if let Some(row) = row {
            self.hold_again(row);
        }
        self.begin_job(job, Whose::Kept { home, batch, row });
    }

    fn begin_job(&mut self, job: Job, whose: Whose) {
        if let Job::Copy(wanted) = &job {
            self.node.memory.owe(wanted.owes);
        }
        self.tasks.push_back(Task { job, whose });
    }

    /// If what just ran from a row wants a job done, the row stays until that is over.
    pub(crate) fn keep_job_row(&mut self, kept: RowId) -> bool {
        let Some(Task { whose: Whose::Kept { row, .. }, .. }) = self.tasks.back_mut() else {
            return false;
        };
        if row.is_some() {
            return false;
        }
        *row = Some(kept);
        self.hold_again(kept);
        true
    }

    /// What runs here on borrowed keys wants it.
    pub(crate) fn job_for_loan(&mut self, lending: Lending, job: Job) {
        self.hold_again(lending.own);
        self.begin_job(job, Whose::Loan(lending));
    }

    /// Does a portion. True when there is more to do at once.
    pub(crate) fn do_jobs(&mut self) -> bool {
        // A script that pauses shares its keys' databases with nobody, and who sleeps does nothing.
        if self.is_pausing() || self.stalled_until.is_some() {
            return false;
        }
        match self.tasks.pop_front() {
            Some(Task { job: Job::Copy(wanted), whose }) => self.copy_some(wanted, whose),
            Some(Task { job: Job::Migrate(migration), whose }) => {
                // Behind those that wait already: `go_on_migrating` hands out the places.
                self.links.queue(migration, whose, self.now.mono.ms());
            }
            None => {}
        }
        self.go_on_migrating() || !self.tasks.is_empty()
    }

    /// Runs the request again that has what it wanted.
    pub(crate) fn run_again(&mut self, whose: Whose) {
        match whose {
            Whose::Kept { home, batch, row } => {
                let row = row.expect("it was kept when the request had run");
                self.start_kept(row, home, batch);
            }
            Whose::Loan(lending) => self.run_lending(lending),
        }
        debug_assert!(self.node.copied.is_none(), "who asked for a copy takes it");
        let unheard = self.node.migrated.take();
        debug_assert!(unheard.is_none(), "who asked for a migration hears of it");
        self.settle();
    }
}

impl Whose {
    /// The moment at which it happens.
    pub(crate) fn moment(&self) -> UnixMs {
        match self {
            Self::Kept { batch, .. } => batch.moment,
            Self::Loan(lending) => lending.moment,
        }
        .expect("it was settled when the request ran")
    }
}
