//! Copies of large values, which are made in portions: a job like others (see `jobs`).
//!
//! With `maxmemory` many copies of one pipeline would all be admitted before the first has taken
//! anything. So what a copy will take counts as taken from the moment it is asked for, and one that finds
//! none left then is refused.

use stoa_engine::{COPY_LEN, Job, SlowCopy};
use stoa_keyspace::Owned;

use crate::Shard;
use crate::jobs::{Task, Whose};

/// Bytes between two looks at the clock.
const STEP_LEN: usize = 8 << 10;
/// When a portion ends, in nanoseconds: with a last step it stays below 100 µs.
const PORTION_NS: u64 = 50_000;

impl Shard {
    /// Copies a portion, and runs the request again when that was the last.
    pub(crate) fn copy_some(&mut self, mut wanted: Box<SlowCopy>, whose: Whose) {
        if self.is_copying(&mut wanted, &whose) {
            self.tasks.push_back(Task { job: Job::Copy(wanted), whose });
        } else {
            self.copy_made(*wanted, whose);
        }
    }

    /// Copies a portion: no more than [`COPY_LEN`], and no longer than [`PORTION_NS`] if a step is not.
    /// How long bytes take hangs on where they go: new pages cost ten times what used ones do.
    fn is_copying(&mut self, wanted: &mut SlowCopy, whose: &Whose) -> bool {
        let started = (self.clock)();
        for _ in 0..COPY_LEN / STEP_LEN {
            let before = self.node.allocated();
            let has_more = self.copy_step(wanted, whose);
            let paid = self.node.allocated_since(before).clamp(0, wanted.owes);
            wanted.owes -= paid;
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

    fn copy_step(&mut self, wanted: &mut SlowCopy, whose: &Whose) -> bool {
        let SlowCopy { db, key, copying, .. } = wanted;
        if let Whose::Loan(lending) = whose
            && let Some(from) = lending.entry(*db, key)
        {
            return copying.go_on(from.value(), STEP_LEN);
        }
        let key = self.keyspace.seed().key(key);
        let mut database = self.keyspace.db(*db, whose.moment(), false);
        // Only DEBUG takes away a key that is held.
        database.peek(&key).is_some_and(|from| copying.go_on(from.value(), STEP_LEN))
    }

    /// Runs the request again that wants the copy.
    fn copy_made(&mut self, wanted: SlowCopy, whose: Whose) {
        let SlowCopy { db, key, copying, owes } = wanted;
        self.node.memory.owe(-owes);
        let lent = match &whose {
            Whose::Loan(lending) => lending.entry(db, &key),
            Whose::Kept { .. } => None,
        };
        let owned = if let Some(&Owned { deadline, clock, .. }) = lent {
            Some(Owned { value: copying.finish(), deadline, clock })
        } else {
            let key = self.keyspace.seed().key(&key);
            let mut database = self.keyspace.db(db, whose.moment(), false);
            database.peek(&key).map(|from| from.with_value(copying))
        };
        self.node.copied = owned.map(Box::new);
        self.run_again(whose);
    }
}
