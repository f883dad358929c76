//! What is counted of commands: calls, failures and time, for INFO.
//!
//! A client's command counts as one call however many shards took part, on the shard that knows its
//! whole answer. What others did of it adds its time and nothing else. So the statistics, like the
//! replies, do not tell how many shards there are.

use stoa_stdx::MonoNs;

use crate::Shard;

/// Work that was done in the stretch of time that is being measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// A command was answered.
    Whole { index: u16, failed: bool },
    /// A part of one, for an answer that is put together elsewhere or later.
    Share(u16),
}

impl Shard {
    /// Notes an answer that was just made.
    #[inline]
    pub(crate) fn ran_whole(&mut self, index: u16, reply: &[u8]) {
        let failed = reply.first() == Some(&b'-');
        self.ran.push(Ran::Whole { index, failed });
        if failed {
            self.count_error(reply);
        }
    }

    /// Counts what ran since `started`. It shares the time evenly: two clock reads a stage cost nothing,
    /// two a command would be a tenth of a GET.
    pub(crate) fn count_since(&mut self, started: MonoNs) {
        if !self.ran.is_empty() {
            let took_ns = (self.clock)().0.saturating_sub(started.0);
            self.count_ran(took_ns);
        }
    }

    /// Counts what ran, in this time.
    pub(crate) fn count_ran(&mut self, took_ns: u64) {
        let each_ns = took_ns / (self.ran.len() as u64).max(1);
        for ran in self.ran.drain(..) {
            match ran {
                Ran::Whole { index, failed } => {
                    self.node.counters.commands_processed += 1;
                    self.node.commands.ran(index as usize, each_ns, failed);
                }
                Ran::Share(index) => self.node.commands.shared(index as usize, each_ns),
            }
        }
    }

    /// Counts an error reply by its first word.
    pub(crate) fn count_error(&mut self, reply: &[u8]) {
        self.node.counters.error_replies += 1;
        self.node.errors.record(&reply[1..]);
    }
}
