//! Looks for an order of calls that one thread could have served, by trying.
//!
//! A call that was answered before another began stands before it; otherwise any order will do. The
//! search keeps which calls are done and what the keys then hold, and never tries the same twice. A
//! call that only reads and fits is taken at once: whatever order exists, it can stand here in it. (Not
//! so a write that happens to change nothing here: its order may need it elsewhere.)
//! The work has a bound, beyond which the answer is *inconclusive*.

use std::collections::BTreeSet;

use stoa_resp::Value;

use super::spec::{State, only_reads};
use super::txn::{Anomaly, Kind, Report, Verdict};

/// One call: a command, or several that run as one.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who.
    pub client: u32,
    /// The commands, as [`State::run`] takes them.
    pub commands: Vec<Vec<String>>,
    /// When it was sent. All times of a history differ.
    pub began: u64,
    /// When its replies were there, and the replies; [`None`] if they never came, and it may have
    /// happened or not.
    pub ended: Option<(u64, Vec<Value>)>,
}

/// Calls that may be open at once: the set of those done is one word from the oldest open one on.
const WINDOW: usize = 128;

/// Calls of unknown outcome in one history at most.
const LOST_MAX: usize = 64;

/// Where a search stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// All answered calls before this one are done.
    base: usize,
    /// And of those from it on, these.
    done: u128,
    /// Calls that were never answered, but happened.
    lost: u64,
    state: State,
}

impl Place {
    const fn is_done(&self, at: usize) -> bool {
        at < self.base || (at - self.base < WINDOW && self.done >> (at - self.base) & 1 == 1)
    }

    fn finish(&mut self, at: usize) {
        self.done |= 1 << (at - self.base);
        while self.done & 1 == 1 {
            self.done >>= 1;
            self.base += 1;
        }
    }
}

/// Whether there is an order of `calls` that explains every reply; looks at `places_max` places.
#[must_use]
pub fn check(calls: &[Call], places_max: usize) -> Verdict {
    let (mut known, lost): (Vec<&Call>, Vec<&Call>) =
        calls.iter().partition(|call| call.ended.is_some());
    known.sort_unstable_by_key(|call| call.began);
    if lost.len() > LOST_MAX {
        return Verdict::Inconclusive(format!("{} calls were never answered", lost.len()));
    }
    Search { known, lost }.run(places_max)
}

struct Search<'a> {
    known: Vec<&'a Call>,
    lost: Vec<&'a Call>,
}

impl Search<'_> {
    fn run(&self, places_max: usize) -> Verdict {
        let mut seen: BTreeSet<Place> = BTreeSet::new();
        let start = Place { base: 0, done: 0, lost: 0, state: State::default() };
        let mut open = vec![start.clone()];
        let mut deepest = (0, start);
        while let Some(mut place) = open.pop() {
            let Some(until) = self.settle(&mut place) else { return Verdict::Pass };
            let depth = place.base + place.done.count_ones() as usize;
            if depth > deepest.0 {
                deepest = (depth, place.clone());
            }
            if seen.contains(&place) {
                continue;
            }
            if !self.branch(&place, until, &mut open) {
                return Verdict::Inconclusive(format!("more than {WINDOW} calls at once"));
            }
            seen.insert(place);
            if seen.len() > places_max {
                return Verdict::Inconclusive(format!("no order found in {places_max} places"));
            }
        }
        let says = self.tell(&deepest.1);
        Verdict::Fail(Report {
            anomalies: vec![Anomaly { kind: Kind::Register, says, cycle: None }],
        })
    }

    /// Takes all that only reads and fits. Gives when the first call that is left was answered, or
    /// [`None`] if none is left.
    fn settle(&self, place: &mut Place) -> Option<u64> {
        loop {
            let until = self.until(place)?;
            let fits = |at: &usize| {
                let call = self.known[*at];
                call.commands.iter().all(|argv| only_reads(argv))
                    && self.step(call, &place.state).is_some()
            };
            let next = self.ready(place, until).find(fits);
            match next {
                Some(at) if at - place.base < WINDOW => place.finish(at),
                _ => return Some(until),
            }
        }
    }

    /// When the first call that is left was answered: what began later must wait for it.
    fn until(&self, place: &Place) -> Option<u64> {
        let mut until = None;
        for at in place.base..self.known.len() {
            let call = self.known[at];
            if until.is_some_and(|until| call.began > until) {
                break;
            }
            if !place.is_done(at) {
                let end = call.ended.as_ref().map_or(u64::MAX, |(end, _)| *end);
                until = Some(until.map_or(end, |until: u64| until.min(end)));
            }
        }
        until
    }

    /// Calls that may be next.
    fn ready<'a>(&'a self, place: &'a Place, until: u64) -> impl Iterator<Item = usize> + 'a {
        (place.base..self.known.len())
            .take_while(move |at| self.known[*at].began <= until)
            .filter(|at| !place.is_done(*at))
    }

    /// Adds all places that may be next; false if one is out of reach.
    fn branch(&self, place: &Place, until: u64, open: &mut Vec<Place>) -> bool {
        for (number, call) in self.lost.iter().enumerate() {
            if call.began <= until && place.lost >> number & 1 == 0 {
                let mut next = place.clone();
                next.lost |= 1 << number;
                call.commands.iter().for_each(|argv| {
                    next.state.run(argv, None);
                });
                if next.state != place.state {
                    open.push(next);
                }
            }
        }
        // The first to be answered is tried first: the stack gives back what was put last.
        let mut ready: Vec<usize> = self.ready(place, until).collect();
        ready.sort_unstable_by_key(|at| std::cmp::Reverse(self.end(*at)));
        for at in ready {
            if at - place.base >= WINDOW {
                return false;
            }
            if let Some(state) = self.step(self.known[at], &place.state) {
                let mut next = Place { state, ..place.clone() };
                next.finish(at);
                open.push(next);
            }
        }
        true
    }

    fn end(&self, at: usize) -> u64 {
        self.known[at].ended.as_ref().map_or(u64::MAX, |(end, _)| *end)
    }

    /// What the keys hold after a call, if its replies fit.
    fn step(&self, call: &Call, state: &State) -> Option<State> {
        let mut next = state.clone();
        let (_, replies) = call.ended.as_ref()?;
        let fits = call
            .commands
            .iter()
            .zip(replies)
            .all(|(argv, seen)| next.run(argv, Some(seen)) == *seen);
        fits.then_some(next)
    }

    /// Where every order that was tried comes to an end.
    fn tell(&self, place: &Place) -> String {
        let until = self.until(place).unwrap_or(u64::MAX);
        let mut told = format!("no order explains what was seen; at best, with {},", place.state);
        for at in self.ready(place, until) {
            told.push_str(&format!("\n    {}", self.known[at].tell()));
        }
        told.push_str("\n  does not follow. Before it stood, last first:");
        for at in (0..place.base).rev().take(8) {
            told.push_str(&format!("\n    {}", self.known[at].tell()));
        }
        told
    }
}

impl Call {
    /// The call in a line.
    #[must_use]
    pub fn tell(&self) -> String {
        let commands: Vec<String> = self.commands.iter().map(|argv| argv.join(" ")).collect();
        let (ended, replies) = match &self.ended {
            Some((end, replies)) => {
                let told: Vec<String> = replies.iter().map(brief).collect();
                (end.to_string(), told.join(", "))
            }
            None => ("?".to_owned(), "never answered".to_owned()),
        };
        let (client, began) = (self.client, self.began);
        format!("[client {client}, {began}..{ended}] {}: {replies}", commands.join("; "))
    }
}

/// A reply in a word or two.
#[must_use]
pub fn brief(reply: &Value) -> String {
    match reply {
        Value::Null => "(nil)".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Simple(text) | Value::Bulk(text) | Value::Error(text) => {
            String::from_utf8_lossy(text).into_owned()
        }
        Value::Array(items) => {
            let told: Vec<String> = items.iter().map(brief).collect();
            format!("[{}]", told.join(" "))
        }
        other => format!("{other:?}"),
    }
}
