//! What a shard does that finds nothing to do: look again, give way, sleep.
//!
//! To sleep and be woken costs a core more than a dozen system calls; whoever else wants the core may be the
//! very client that is awaited. So a shard looks a few times, then lets others run a few times
//! (`sched_yield`: they do if there are any, else it returns at once), and only then sleeps. With
//! shards and clients on the same cores this halves the price of a request; with cores of their own
//! it is as short as looking alone.
//!
//! It is not for a core shared with somebody who computes: that one would keep it for milliseconds,
//! while a sleeper that is woken gets it at once. Where giving way took so long, the shard does without
//! for a while, twice as long each time.

use stoa_stdx::MonoNs;

/// Giving way should take no longer. A client that is served does in microseconds; the scheduler takes the
/// core from who computes after a few milliseconds. Nanoseconds.
const LONG_NS: u64 = 1_000_000;
/// How long it does without after the first time, and at most. Nanoseconds.
const REST_MIN_NS: u64 = 20_000_000;
const REST_MAX_NS: u64 = 20_000_000_000;
/// So many short times in a row, and the next long one counts as the first.
const GOOD_STREAK: u32 = 10_000;

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look again.
    Look,
    /// Let others run, then look again.
    GiveWay,
    /// Sleep.
    Sleep,
}

/// How a shard waits.
#[derive(Debug)]
pub(crate) struct Idle {
    looks: u32,
    yields: u32,
    /// Empty looks in a row.
    empty: u32,
    rest_ns: u64,
    rests_until: MonoNs,
    streak: u32,
}

impl Idle {
    /// So many empty looks, and so many times to give way, before it sleeps.
    pub(crate) const fn new(looks: u32, yields: u32) -> Self {
        let (empty, streak) = (0, 0);
        Self { looks, yields, empty, rest_ns: REST_MIN_NS, rests_until: MonoNs(0), streak }
    }

    /// There was something to do.
    pub(crate) const fn found(&mut self) {
        self.empty = 0;
    }

    /// There was nothing to do.
    pub(crate) fn next(&mut self, now: impl FnOnce() -> MonoNs) -> Step {
        self.empty += 1;
        if self.empty <= self.looks {
            return Step::Look;
        }
        // While it does without, it looks as much longer as that would have taken.
        let rests = self.rests_until.0 > 0 && now() < self.rests_until;
        let more = if rests { self.yields.saturating_mul(LOOKS_A_YIELD) } else { self.yields };
        if self.empty <= self.looks.saturating_add(more) {
            return if rests { Step::Look } else { Step::GiveWay };
        }
        self.empty = 0;
        Step::Sleep
    }

    /// It gave way from one moment to the other.
    pub(crate) const fn gave_way(&mut self, from: MonoNs, to: MonoNs) {
        if to.0.saturating_sub(from.0) < LONG_NS {
            self.streak += 1;
            if self.streak >= GOOD_STREAK {
                self.streak = 0;
                self.rest_ns = REST_MIN_NS;
            }
            return;
        }
        self.streak = 0;
        self.rests_until = MonoNs(to.0 + self.rest_ns);
        self.rest_ns = if self.rest_ns > REST_MAX_NS / 2 { REST_MAX_NS } else { self.rest_ns * 2 };
    }
}

/// Looks that take about as long as a system call.
const LOOKS_A_YIELD: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(idle: &mut Idle, now: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        while steps.last() != Some(&Step::Sleep) {
            steps.push(idle.next(|| MonoNs(now)));
        }
        steps
    }

    #[test]
    fn it_looks_then_gives_way_then_sleeps_and_begins_anew() {
        let mut idle = Idle::new(2, 1);
        let want = [Step::Look, Step::Look, Step::GiveWay, Step::Sleep];
        assert_eq!(steps(&mut idle, 1), want);
        assert_eq!(steps(&mut idle, 1), want);
        assert_eq!(idle.next(|| MonoNs(1)), Step::Look);
        idle.found();
        assert_eq!(steps(&mut idle, 1), want);
    }

    #[test]
    fn where_giving_way_takes_long_it_does_without_and_longer_each_time() {
        let mut idle = Idle::new(1, 1);
        let mut now = 1;
        for rest_ns in [REST_MIN_NS, 2 * REST_MIN_NS, 4 * REST_MIN_NS] {
            assert!(steps(&mut idle, now).contains(&Step::GiveWay));
            idle.gave_way(MonoNs(now), MonoNs(now + LONG_NS));
            now += LONG_NS + rest_ns;
            assert!(!steps(&mut idle, now - 1).contains(&Step::GiveWay), "after {rest_ns} ns");
        }
        for _ in 0..100 {
            idle.gave_way(MonoNs(now), MonoNs(now + LONG_NS));
        }
        now += LONG_NS + REST_MAX_NS;
        assert!(
            steps(&mut idle, now).contains(&Step::GiveWay),
            "no rest is longer than the longest"
        );
    }

    #[test]
    fn a_long_time_that_was_an_exception_is_forgiven() {
        let mut idle = Idle::new(1, 1);
        for _ in 0..10 {
            idle.gave_way(MonoNs(1), MonoNs(1 + LONG_NS));
        }
        for _ in 0..GOOD_STREAK {
            idle.gave_way(MonoNs(1), MonoNs(2));
        }
        idle.gave_way(MonoNs(1), MonoNs(1 + LONG_NS));
        let now = 1 + LONG_NS + REST_MIN_NS;
        assert!(steps(&mut idle, now).contains(&Step::GiveWay));
    }
}
