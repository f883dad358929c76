//! What is counted of commands: calls, failures and time, for INFO.
//!
//! A client's command counts as one call however many shards took part, on the shard that knows its
//! whole answer. What others did of it adds its time and nothing else. So the statistics, like the
//! replies, do not tell how many shards there are.

use stoa_stdx::MonoNs;

use crate::Shard;
use crate::reply::error_line;

/// Work that was done in the stretch of time that is being measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// A command was answered so many times, and failed each time as often.
    Whole { index: u16, failures: u32, times: u32 },
    /// A part of one, for an answer that is put together elsewhere or later.
    Share(u16),
}

impl Ran {
    /// A command was answered.
    pub(crate) const fn whole(index: u16, failures: u32) -> Self {
        Self::Whole { index, failures, times: 1 }
    }

    const fn times(&self) -> u64 {
        match self {
            Self::Whole { times, .. } => *times as u64,
            Self::Share(_) => 1,
        }
    }
}

/// Neighbours that are alike, before they are noted as one.
#[derive(Default)]
pub(crate) struct Alike {
    index: u16,
    failures: u32,
    times: u32,
}

impl Alike {
    /// One more answer; what was unlike it is noted.
    #[inline]
    pub(crate) fn add(&mut self, index: u16, failures: u32, noted: &mut Vec<Ran>) {
        if (index, failures) != (self.index, self.failures) {
            self.note(noted);
            (self.index, self.failures) = (index, failures);
        }
        self.times += 1;
    }

    /// Notes what was added.
    pub(crate) fn note(&mut self, noted: &mut Vec<Ran>) {
        let Self { index, failures, times } = std::mem::take(self);
        if times > 0 {
            noted.push(Ran::Whole { index, failures, times });
        }
    }
}

impl Shard {
    /// Notes an answer that was just made.
    #[inline]
    pub(crate) fn ran_whole(&mut self, index: u16, reply: &[u8]) {
        let failures = self.node.failures(error_line(reply));
        self.ran.push(Ran::whole(index, failures));
    }

    /// Counts an answer that came of no work: a wait ended.
    pub(crate) fn count_wait(&mut self, index: u16, reply: &[u8]) {
        let failures = self.node.failures(error_line(reply));
        self.node.counters.commands_processed += 1;
        self.node.commands.ran(usize::from(index), 0, failures);
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
        let each_ns = took_ns / self.ran.iter().map(Ran::times).sum::<u64>().max(1);
        // A pipeline mostly repeats one command, and is counted as one row.
        for row in self.ran.chunk_by(|a, b| a == b) {
            let all = row.iter().map(Ran::times).sum();
            match row[0] {
                Ran::Whole { index, failures, .. } => {
                    self.node.counters.commands_processed += all;
                    self.node.commands.ran_times(index as usize, each_ns, all);
                    if failures > 0 {
                        self.node.commands.failed(index as usize, u64::from(failures) * all);
                    }
                }
                Ran::Share(index) => self.node.commands.shared(index as usize, each_ns * all),
            }
        }
        self.ran.clear();
    }
}
