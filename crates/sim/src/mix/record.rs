//! What clients did and saw, put together, and what the checkers say of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::checker::search::{self, Call};
use crate::checker::{History, Txn, Verdict, serial};

/// What one client, or all, did and saw.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// On open keys.
    pub txns: Vec<Txn>,
    /// On hidden groups, by the group's number.
    pub calls: Vec<(u32, Call)>,
    /// Replies that make no sense.
    pub strange: Vec<String>,
}

/// Places that the search may look at for one group.
const PLACES_MAX: usize = 200_000;

/// What the checkers say.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// Of the open keys.
    pub serial: Verdict,
    /// Of the groups that did not pass.
    pub groups: Vec<(u32, Verdict)>,
    /// Replies that make no sense.
    pub strange: Vec<String>,
}

impl Record {
    /// Adds what another client did.
    pub fn extend(&mut self, other: Self) {
        self.txns.extend(other.txns);
        self.calls.extend(other.calls);
        self.strange.extend(other.strange);
    }

    /// Lets both checkers judge. `names` are those of the open keys.
    #[must_use]
    pub fn judge(mut self, names: Vec<String>) -> Verdicts {
        self.txns.sort_by_key(|txn| txn.began);
        let serial = serial::check(&History { txns: self.txns, keys: names });
        let mut by_group: BTreeMap<u32, Vec<Call>> = BTreeMap::new();
        for (group, call) in self.calls {
            by_group.entry(group).or_default().push(call);
        }
        let check = |(group, calls): (u32, Vec<Call>)| (group, search::check(&calls, PLACES_MAX));
        let groups = by_group.into_iter().map(check);
        let groups = groups.filter(|(_, verdict)| !verdict.is_pass()).collect();
        Verdicts { serial, groups, strange: self.strange }
    }

    /// All that was done, in order of time, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines: Vec<(u64, String)> = Vec::new();
        for txn in &self.txns {
            let line = format!(
                "[client {}, {}..{}] {:?} {}",
                txn.client, txn.began, txn.ended, txn.outcome, txn.label
            );
            lines.push((txn.began, line));
        }
        lines.extend(self.calls.iter().map(|(_, call)| (call.began, call.tell())));
        lines.sort();
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }
}

impl Verdicts {
    /// All passed, and no reply was strange.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        self.serial.is_pass() && self.groups.is_empty() && self.strange.is_empty()
    }

    /// Something is wrong, or strange: more than a checker that gave up.
    #[must_use]
    pub fn is_fail(&self) -> bool {
        let fails = |verdict: &Verdict| matches!(verdict, Verdict::Fail(_));
        fails(&self.serial)
            || self.groups.iter().any(|(_, verdict)| fails(verdict))
            || !self.strange.is_empty()
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.serial.is_pass() {
            writeln!(f, "open keys: {}", self.serial)?;
        }
        for (group, verdict) in &self.groups {
            writeln!(f, "group {group}: {verdict}")?;
        }
        for reply in self.strange.iter().take(5) {
            writeln!(f, "strange: {reply}")?;
        }
        if self.is_pass() { f.write_str("pass") } else { Ok(()) }
    }
}
