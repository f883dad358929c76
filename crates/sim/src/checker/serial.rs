//! Is there one serial order that explains all transactions, and keeps to the clock?

use super::graph::{Cycle, Edge, Graph, Why};
use super::lists::ListFacts;
use super::registers::RegisterFacts;
use super::txn::{Anomaly, History, Outcome, Report, Verdict};

/// Anomalies told at most: one is enough to stop, and some more help to understand it.
const TOLD_MAX: usize = 20;

/// Checks a history.
#[must_use]
pub fn check(history: &History) -> Verdict {
    let mut wrong = Vec::new();
    let lists = ListFacts::new(history, &mut wrong);
    let mut registers = RegisterFacts::new(history, &mut wrong);
    let mut happened: Vec<bool> =
        history.txns.iter().map(|txn| txn.outcome == Outcome::Done).collect();
    lists.mark_happened(&mut happened);
    registers.mark_happened(&mut happened);

    let mut edges = Vec::new();
    lists.edges(&happened, &mut wrong, &mut edges);
    registers.edges(&happened, &mut wrong, &mut edges);
    clock(history, &happened, &mut edges);
    let graph = Graph::new(history.txns.len(), edges);
    if let Some((kind, cycle)) = graph.worst() {
        let says = tell(history, &cycle);
        wrong.push(Anomaly { kind, says, cycle: Some(cycle) });
    }
    if wrong.is_empty() {
        return Verdict::Pass;
    }
    // The circle comes last and says most; it is kept whatever else there is.
    wrong.sort_by_key(|anomaly| anomaly.cycle.is_none());
    wrong.truncate(TOLD_MAX);
    Verdict::Fail(Report { anomalies: wrong })
}

/// Whoever was answered before another began stands before it. Only those are joined that no third
/// one stands between, so there are never more edges for one transaction than there are clients.
fn clock(history: &History, happened: &[bool], edges: &mut Vec<Edge>) {
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (at, txn) in history.txns.iter().enumerate().filter(|(at, _)| happened[*at]) {
        events.push((txn.began, true, at));
        if txn.outcome == Outcome::Done {
            events.push((txn.ended, false, at));
        }
    }
    events.sort_unstable();
    let mut last: Vec<usize> = Vec::new();
    for (_, begins, at) in events {
        if begins {
            edges.extend(last.iter().map(|before| Edge {
                from: *before as u32,
                why: Why::RealTime,
                to: at as u32,
            }));
        } else {
            let began = history.txns[at].began;
            last.retain(|other| history.txns[*other].ended >= began);
            last.push(at);
        }
    }
}

/// A circle in words.
fn tell(history: &History, cycle: &Cycle) -> String {
    let mut told = "a circle:\n".to_owned();
    for edge in &cycle.edges {
        let (from, to) = (history.tell(edge.from as usize), edge.to);
        let why = match edge.why {
            Why::Ww(key) => format!("wrote {} before T{to} did", history.name(key)),
            Why::Wr(key) => format!("wrote what T{to} read of {}", history.name(key)),
            Why::Rw(key) => format!("did not see what T{to} wrote to {}", history.name(key)),
            Why::RealTime => format!("was answered before T{to} began"),
        };
        told.push_str(&format!("    {from}\n        {why}\n"));
    }
    told
}
