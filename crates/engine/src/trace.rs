//! A sampled request's way through the server, stage by stage (`trace-sample`, DEBUG TRACE).
//!
//! One request in so many is followed; the others pay a branch at each stage, on a flag that lies beside
//! what they read anyway. A shard notes what happens on it and keeps its last samples; a request that goes
//! to another shard takes its number along, and whoever asks puts the parts together by that number.

use std::collections::VecDeque;

use stoa_stdx::{MonoNs, ShardId};

/// Points on the way of a request, in the order in which it comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The driver handed over its bytes.
    Client,
    /// It was read, found in the table and admitted; its owner is looked for.
    Dispatcher,
    /// It left for other shards, or waits.
    Sent,
    /// A shard that has its keys begins with it.
    Received,
    /// Its arguments are read.
    Parse,
    /// They are typed values; the command begins.
    Execute,
    /// The command asks its context for keys.
    Engine,
    /// The shard's database is in its hands.
    Database,
    /// Its answer, or this shard's part of it, is written.
    Reply,
    /// The answer of another shard has come home.
    Answered,
}

impl Stage {
    /// As DEBUG TRACE prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Dispatcher => "dispatcher",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Parse => "parse",
            Self::Execute => "execute",
            Self::Engine => "engine",
            Self::Database => "database",
            Self::Reply => "reply",
            Self::Answered => "answered",
        }
    }
}

/// What one shard saw of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of the request: the same on all shards.
    pub id: u32,
    /// CLIENT ID, on the shard of its client; 0 on others.
    pub client: u64,
    /// Who saw it.
    pub shard: ShardId,
    /// The command's full name.
    pub command: &'static str,
    /// Each stage once, and when.
    pub marks: Vec<(Stage, MonoNs)>,
}

/// Samples that a shard keeps.
const KEPT_MAX: usize = 128;

/// Follows one request at a time.
pub struct Tracer {
    clock: fn() -> MonoNs,
    shard: ShardId,
    shards: u16,
    /// A sampled request is running.
    is_on: bool,
    /// Requests since the last sample.
    passed: u32,
    begun: u32,
    current: Option<Sample>,
    kept: VecDeque<Sample>,
}

impl Tracer {
    /// For one shard.
    #[must_use]
    pub const fn new(shard: ShardId, shards: u16, clock: fn() -> MonoNs) -> Self {
        let (is_on, passed, begun, current) = (false, 0, 0, None);
        Self { clock, shard, shards, is_on, passed, begun, current, kept: VecDeque::new() }
    }

    /// Whether the next request is to be followed, given one in how many are; 0 is none.
    #[inline]
    pub fn takes(&mut self, one_in: u32) -> bool {
        one_in != 0 && self.count(one_in)
    }

    #[cold]
    fn count(&mut self, one_in: u32) -> bool {
        self.passed += 1;
        let takes = self.passed >= one_in;
        self.passed = if takes { 0 } else { self.passed };
        takes
    }

    /// A request of this shard's client is followed from here on; its bytes came at `since`.
    #[cold]
    pub fn begin(&mut self, client: u64, command: &'static str, since: MonoNs) {
        self.begun = self.begun.wrapping_add(1);
        let shards = u32::from(self.shards);
        let id = self.begun.wrapping_mul(shards).wrapping_add(u32::from(self.shard.0));
        let marks = vec![(Stage::Client, since)];
        self.current = Some(Sample { id, client, shard: self.shard, command, marks });
        self.is_on = true;
        self.mark(Stage::Dispatcher);
    }

    /// Goes on with a request of another shard's client, or of one that has waited.
    #[cold]
    pub fn resume(&mut self, id: u32, command: &'static str) {
        let marks = Vec::new();
        self.current = Some(Sample { id, client: 0, shard: self.shard, command, marks });
        self.is_on = true;
        self.mark(Stage::Received);
    }

    /// Whether a sampled request is running.
    #[must_use]
    #[inline]
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// The number of the request that is running.
    #[cold]
    #[must_use]
    pub fn id(&self) -> u32 {
        self.current.as_ref().map_or(0, |sample| sample.id)
    }

    /// The request has come to `stage`. Only the first time counts: a script runs many commands.
    #[inline]
    pub fn mark(&mut self, stage: Stage) {
        if self.is_on {
            self.mark_now(stage);
        }
    }

    #[cold]
    fn mark_now(&mut self, stage: Stage) {
        let now = (self.clock)();
        if let Some(sample) = &mut self.current
            && sample.marks.iter().all(|(known, _)| *known != stage)
        {
            sample.marks.push((stage, now));
        }
    }

    /// This shard is done with it for now: it has answered, or what is awaited comes later.
    #[cold]
    pub fn end(&mut self, is_awaited: bool) {
        let ran = |sample: &Sample| sample.marks.iter().any(|(stage, _)| *stage == Stage::Execute);
        let ran = self.current.as_ref().is_some_and(ran);
        self.mark(if is_awaited && !ran { Stage::Sent } else { Stage::Reply });
        self.is_on = false;
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.extend(self.current.take());
    }

    /// It did not run after all, and will come again.
    #[cold]
    pub fn forget(&mut self) {
        self.is_on = false;
        self.current = None;
    }

    /// An answer of another shard to `id` has come.
    #[cold]
    pub fn answered(&mut self, id: u32) {
        let now = (self.clock)();
        let mine = |sample: &&mut Sample| sample.id == id && sample.client != 0;
        if let Some(sample) = self.kept.iter_mut().rev().find(mine) {
            sample.marks.retain(|(stage, _)| *stage != Stage::Answered);
            sample.marks.push((Stage::Answered, now));
        }
    }

    /// What this shard keeps, oldest first.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{MonoNs, ShardId};

    use super::{KEPT_MAX, Stage, Tracer};

    #[test]
    fn one_in_so_many_is_taken_and_none_if_off() {
        let mut tracer = Tracer::new(ShardId(1), 2, || MonoNs(7));
        assert!((0..10).all(|_| !tracer.takes(0)));
        assert_eq!((0..9).filter(|_| tracer.takes(3)).count(), 3);
        tracer.mark(Stage::Parse);
        assert_eq!((tracer.id(), tracer.samples().count()), (0, 0));
    }

    #[test]
    fn each_stage_counts_once_and_the_oldest_samples_go() {
        let mut tracer = Tracer::new(ShardId(1), 2, || MonoNs(7));
        for client in 1..=KEPT_MAX as u64 + 1 {
            tracer.begin(client, "get", MonoNs(3));
            for stage in [Stage::Parse, Stage::Execute, Stage::Parse] {
                tracer.mark(stage);
            }
            tracer.end(true);
        }
        let first = tracer.samples().next().expect("some are kept");
        assert_eq!((first.client, tracer.samples().count()), (2, KEPT_MAX));
        let ids: std::collections::BTreeSet<u32> =
            tracer.samples().map(|sample| sample.id).collect();
        assert_eq!(ids.len(), KEPT_MAX);
        let stages: Vec<&str> = first.marks.iter().map(|(stage, _)| stage.name()).collect();
        assert_eq!(stages, ["client", "dispatcher", "parse", "execute", "reply"]);
    }
}
