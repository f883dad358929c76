//! What each command costs: calls, time, failures and a latency histogram, by command index.
//!
//! The table gives each command (and each subcommand) a number; a shard adds to the row of that
//! number. A histogram is boxed at the first call, because most servers call few of 500 commands.

use crate::histogram::Histogram;

/// One command's figures on one shard, or merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandStat {
    /// Times it was run.
    pub calls: u64,
    /// Time spent running it, in nanoseconds; INFO shows microseconds.
    pub sum_ns: u64,
    /// Times it was refused before it ran (arity, ACL, memory, wrong state).
    pub rejected_calls: u64,
    /// Times it ran and answered an error.
    pub failed_calls: u64,
    latency: Option<Box<Histogram>>,
}

impl CommandStat {
    /// How long calls took; `None` if there were none or tracking is off.
    #[must_use]
    pub fn latency(&self) -> Option<&Histogram> {
        self.latency.as_deref()
    }

    /// True when it was neither called nor refused.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.calls == 0 && self.rejected_calls == 0
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.rejected_calls += other.rejected_calls;
        self.failed_calls += other.failed_calls;
        if let Some(theirs) = &other.latency {
            self.latency.get_or_insert_default().merge(theirs);
        }
    }
}

/// Figures of all commands, a row each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandStats {
    rows: Vec<CommandStat>,
    latency_off: bool,
}

impl CommandStats {
    /// Rows for a table of `commands` commands.
    #[must_use]
    pub fn new(commands: usize) -> Self {
        Self { rows: vec![CommandStat::default(); commands], latency_off: false }
    }

    /// `latency-tracking`: whether histograms are kept.
    pub const fn set_latency_tracking(&mut self, on: bool) {
        self.latency_off = !on;
    }

    /// Whether histograms are kept.
    #[must_use]
    pub const fn tracks_latency(&self) -> bool {
        !self.latency_off
    }

    /// Counts a run; what counts as failed more than once hands on several errors (a script). Panics
    /// when `command` is not a number of the table.
    pub fn ran(&mut self, command: usize, ns: u64, failures: u32) {
        self.ran_times(command, ns, 1);
        self.failed(command, u64::from(failures));
    }

    /// Counts failures of calls that are counted. Panics when `command` is not a number of the table.
    pub fn failed(&mut self, command: usize, failures: u64) {
        self.rows[command].failed_calls += failures;
    }

    /// Counts so many calls that took `ns` nanoseconds each. Panics when `command` is not a number of the
    /// table.
    pub fn ran_times(&mut self, command: usize, ns: u64, times: u64) {
        let row = &mut self.rows[command];
        row.calls += times;
        row.sum_ns += ns * times;
        if !self.latency_off {
            row.latency.get_or_insert_default().record_times(ns, times);
        }
    }

    /// Adds time that a call took on another shard than where it is counted. Panics when `command` is
    /// not a number of the table.
    pub fn shared(&mut self, command: usize, ns: u64) {
        self.rows[command].sum_ns += ns;
    }

    /// Counts a refusal. Panics when `command` is not a number of the table.
    pub fn rejected(&mut self, command: usize) {
        self.rows[command].rejected_calls += 1;
    }

    /// Forgets everything (`CONFIG RESETSTAT`), also the histograms' memory.
    pub fn reset(&mut self) {
        self.rows.fill(CommandStat::default());
    }

    /// Forgets one command's histogram and gives its memory back.
    pub fn reset_latency(&mut self, command: usize) {
        self.rows[command].latency = None;
    }

    /// Adds another shard's.
    pub fn merge(&mut self, other: &Self) {
        if self.rows.len() < other.rows.len() {
            self.rows.resize(other.rows.len(), CommandStat::default());
        }
        for (mine, theirs) in self.rows.iter_mut().zip(&other.rows) {
            mine.merge(theirs);
        }
    }

    /// One command's figures.
    #[must_use]
    pub fn get(&self, command: usize) -> Option<&CommandStat> {
        self.rows.get(command)
    }

    /// Every row, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = &CommandStat> {
        self.rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::CommandStats;

    #[test]
    fn a_row_is_untouched_until_its_command_runs_or_is_refused() {
        let mut stats = CommandStats::new(3);
        stats.ran(1, 1_500, 0);
        stats.ran(1, 500, 1);
        stats.rejected(2);
        let seen: Vec<_> = stats.iter().map(|row| (row.calls, row.rejected_calls)).collect();
        assert_eq!(seen, [(0, 0), (2, 0), (0, 1)]);
        assert!(stats.get(0).is_some_and(super::CommandStat::is_untouched));
        let row = stats.get(1).expect("a row of the table");
        assert_eq!((row.sum_ns, row.failed_calls), (2_000, 1));
        assert_eq!(row.latency().map(super::Histogram::count), Some(2));
        assert!(stats.get(2).is_some_and(|row| row.latency().is_none()));
    }

    #[test]
    fn shards_add_up_and_a_reset_forgets() {
        let (mut one, mut other) = (CommandStats::new(2), CommandStats::new(2));
        one.ran(0, 100, 0);
        other.ran(0, 300, 0);
        other.ran(1, 7, 1);
        one.merge(&other);
        let row = one.get(0).expect("a row of the table");
        assert_eq!((row.calls, row.sum_ns), (2, 400));
        assert_eq!(row.latency().map(super::Histogram::max_ns), Some(300));
        one.reset();
        assert_eq!(one, CommandStats::new(2));
    }

    #[test]
    fn without_tracking_there_is_no_histogram() {
        let mut stats = CommandStats::new(1);
        stats.set_latency_tracking(false);
        stats.ran(0, 5, 0);
        assert!(stats.get(0).is_some_and(|row| row.calls == 1 && row.latency().is_none()));
    }
}
