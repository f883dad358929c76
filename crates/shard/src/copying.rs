//! Copies of large values, which are made in portions between other work.
//!
//! A command that wants one has run and said nothing (see [`SlowCopy`]). Its keys are held by a row of
//! intents, so whoever wants them waits, and nobody else does; a portion is copied in each pass; then
//! the request runs again, as of the moment at which it came, and its reply goes where it was to go. If
//! its keys are of several shards it runs here on borrowed ones, and those stay out of this shard's
//! keyspace while they are copied: what counts or walks over keys would take them for its own.
//!
//! With `maxmemory` many copies of one pipeline would all be admitted before the first has taken
//! anything. So what a copy will take counts as taken from the moment it is asked for, and one that finds
//! none left then is refused.

use stoa_engine::{COPY_LEN, ReplyMode, SlowCopy};
use stoa_keyspace::Owned;
use stoa_stdx::{ShardId, UnixMs};

use crate::Shard;
use crate::execute::Req;
use crate::intents::{RowId, Scope, Work};
use crate::message::{Args as ArgStore, Ask, Batch, Dest, Request};
use crate::places::Routed;
use crate::transact::Lending;

/// Bytes between two looks at the clock.
const STEP_LEN: usize = 8 << 10;
/// When a portion ends, in nanoseconds: with a last step it stays below 100 µs.
const PORTION_NS: u64 = 50_000;

/// A copy under way, and what is to be done when it is made.
pub(crate) struct CopyJob {
    wanted: Box<SlowCopy>,
    whose: Whose,
}

enum Whose {
    /// A request on keys of this shard, alone in its batch.
    Kept { home: ShardId, batch: Box<Batch>, row: Option<RowId> },
    /// A request that runs here on borrowed keys.
    Loan(Lending),
}

impl Shard {
    /// A client of this shard wants a copy; all keys are here.
    pub(crate) fn copy_at_home(&mut self, req: Req<'_>, mode: ReplyMode, wanted: Box<SlowCopy>) {
        let Some(ticket) = self.hole_for(req.conn, mode) else { return };
        let dest = Dest::Hole { conn: req.conn, ticket };
        let mut batch = self.spare_kept();
        self.put_request(&mut batch, req, dest, Ask::Execute, Routed::No);
        // One whose turn came holds its keys already.
        let row = self.conn(req.conn).filter(|conn| conn.has_turn).and_then(|conn| {
            conn.has_turn = false;
            conn.row.take()
        });
        let row = row.unwrap_or_else(|| self.copy_row(&batch));
        self.copy_for(self.node.shard, batch, wanted, Some(row));
    }

    /// Another shard asked for it, in a batch with others.
    pub(crate) fn copy_request(
        &mut self,
        from: ShardId,
        request: &Request,
        args: &ArgStore,
        wanted: Box<SlowCopy>,
    ) {
        let batch = self.keep(request, Ask::Execute, args);
        let row = self.copy_row(&batch);
        self.copy_for(from, batch, wanted, Some(row));
    }

    /// Nothing was in the way of the request, or it would not have run: its row is in front.
    fn copy_row(&mut self, batch: &Batch) -> RowId {
        let order = self.order_here();
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        self.add_row(order, true, scope.unwrap_or(Scope::Keys(Vec::new())), Work::Hold)
    }

    /// Without a row, the one that the request runs from: see [`Shard::keep_copy_row`].
    pub(crate) fn copy_for(
        &mut self,
        home: ShardId,
        mut batch: Box<Batch>,
        wanted: Box<SlowCopy>,
        row: Option<RowId>,
    ) {
        batch.moment = Some(self.unix());
        if let Some(row) = row {
            self.hold_again(row);
        }
        self.begin_copy(wanted, Whose::Kept { home, batch, row });
    }

    fn begin_copy(&mut self, wanted: Box<SlowCopy>, whose: Whose) {
        self.node.memory.owe(wanted.owes);
        self.copies.push_back(CopyJob { wanted, whose });
    }

    /// If what just ran from a row wants a copy, the row stays until that is made.
    pub(crate) fn keep_copy_row(&mut self, kept: RowId) -> bool {
        let Some(CopyJob { whose: Whose::Kept { row, .. }, .. }) = self.copies.back_mut() else {
            return false;
        };
        if row.is_some() {
            return false;
        }
        *row = Some(kept);
        self.hold_again(kept);
        true
    }

    /// What runs here on borrowed keys wants a copy.
    pub(crate) fn copy_for_loan(&mut self, lending: Lending, wanted: Box<SlowCopy>) {
        self.hold_again(lending.own);
        self.begin_copy(wanted, Whose::Loan(lending));
    }

    /// Copies a portion. True when there is more to copy.
    pub(crate) fn copy_some(&mut self) -> bool {
        // A script that pauses shares its keys' databases with nobody, and who sleeps does nothing.
        if self.is_pausing() || self.stalled_until.is_some() {
            return false;
        }
        let Some(mut job) = self.copies.pop_front() else { return false };
        if self.is_going_on(&mut job) {
            self.copies.push_back(job);
            return true;
        }
        self.copy_made(job);
        !self.copies.is_empty()
    }

    /// Copies a portion: no more than [`COPY_LEN`], and no longer than [`PORTION_NS`] if a step is not.
    /// How long bytes take hangs on where they go: new pages cost ten times what used ones do.
    fn is_going_on(&mut self, job: &mut CopyJob) -> bool {
        let started = (self.clock)();
        for _ in 0..COPY_LEN / STEP_LEN {
            let before = self.node.allocated();
            let has_more = self.copy_step(job);
            let owes = &mut job.wanted.owes;
            let paid = self.node.allocated_since(before).clamp(0, *owes);
            *owes -= paid;
            self.node.memory.owe(-paid);
            if !has_more {
                return false;
            }
            if (self.clock)().0.saturating_sub(started.0) > PORTION_NS {
                break;
            }
        }
        true
    }

    fn copy_step(&mut self, job: &mut CopyJob) -> bool {
        let CopyJob { wanted, whose } = job;
        let SlowCopy { db, key, copying, .. } = &mut **wanted;
        if let Whose::Loan(lending) = whose
            && let Some(from) = lending.entry(*db, key)
        {
            return copying.go_on(from.value(), STEP_LEN);
        }
        let key = self.keyspace.seed().key(key);
        let mut database = self.keyspace.db(*db, whose.moment(), false);
        let from = database.peek(&key).expect("a key that is held does not go away");
        copying.go_on(from.value(), STEP_LEN)
    }

    /// Runs the request again that wants the copy.
    fn copy_made(&mut self, job: CopyJob) {
        let CopyJob { wanted, whose } = job;
        let SlowCopy { db, key, copying, owes } = *wanted;
        self.node.memory.owe(-owes);
        let lent = match &whose {
            Whose::Loan(lending) => lending.entry(db, &key),
            Whose::Kept { .. } => None,
        };
        let owned = if let Some(&Owned { deadline, clock, .. }) = lent {
            Owned { value: copying.finish(), deadline, clock }
        } else {
            let key = self.keyspace.seed().key(&key);
            let mut database = self.keyspace.db(db, whose.moment(), false);
            let from = database.peek(&key).expect("a key that is held does not go away");
            from.with_value(copying)
        };
        self.node.copied = Some(Box::new(owned));
        match whose {
            Whose::Kept { home, batch, row } => {
                let row = row.expect("it was kept when the request had run");
                self.start_kept(row, home, batch);
            }
            Whose::Loan(lending) => self.run_lending(lending),
        }
        debug_assert!(self.node.copied.is_none(), "who asked for a copy takes it");
        self.settle();
    }
}

impl Whose {
    /// The moment at which it happens.
    fn moment(&self) -> UnixMs {
        match self {
            Self::Kept { batch, .. } => batch.moment,
            Self::Loan(lending) => lending.moment,
        }
        .expect("it was settled when the request ran")
    }
}
