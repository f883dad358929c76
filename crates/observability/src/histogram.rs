//! A log-linear histogram of durations: sixteen buckets to each power of two.
//!
//! Recording is a count of leading zeros, a shift and an addition, without allocation, so a shard
//! can keep one of every pass and every insert. The price is that a quantile is known within 1/16.
//! One histogram is 4.7 KiB, so a command gets its own only once it is called.

/// Buckets to a power of two, as bits.
const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// Durations of 2^40 ns (18 minutes) and above share the last bucket; `max` stays exact.
const VALUE_BITS: u32 = 40;
const BUCKETS: usize = (VALUE_BITS - SUB_BITS + 1) as usize * SUB as usize;

/// Counts of durations in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    count: u64,
    sum_ns: u64,
    max_ns: u64,
    buckets: [u64; BUCKETS],
}

/// One bucket that counted something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramRow {
    /// Shortest duration of the bucket.
    pub from_ns: u64,
    /// Longest duration of the bucket; the last one also holds everything above.
    pub to_ns: u64,
    /// Durations counted in it.
    pub count: u64,
    /// Durations counted in it and in all before it.
    pub cumulative: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// One that has counted nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, sum_ns: 0, max_ns: 0, buckets: [0; BUCKETS] }
    }

    /// Counts one duration.
    pub const fn record(&mut self, ns: u64) {
        self.record_times(ns, 1);
    }

    /// Counts so many values of `ns` nanoseconds each.
    #[inline]
    pub const fn record_times(&mut self, ns: u64, times: u64) {
        self.count += times;
        self.sum_ns = self.sum_ns.saturating_add(ns.saturating_mul(times));
        if ns > self.max_ns {
            self.max_ns = ns;
        }
        self.buckets[bucket(ns)] += times;
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
    }

    /// Durations counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in nanoseconds.
    #[must_use]
    pub const fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The longest, exactly; 0 if none was counted.
    #[must_use]
    pub const fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The duration that a share `q` of those counted did not exceed, rounded up by at most 1/16;
    /// 0 if none was counted. `q` is 0.0 to 1.0, and beyond is taken as the nearer end.
    #[must_use]
    pub fn quantile_ns(&self, q: f64) -> u64 {
        let rank =
            ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        self.rows().find(|row| row.cumulative >= rank).map_or(0, |row| {
            if row.to_ns == LAST_NS { self.max_ns } else { row.to_ns.min(self.max_ns) }
        })
    }

    /// The buckets that counted something, shortest first. This is what DEBUG prints.
    pub fn rows(&self) -> impl Iterator<Item = HistogramRow> {
        let counted = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.scan(0, |cumulative, (index, count)| {
            *cumulative += count;
            let (from_ns, to_ns) = bounds(index);
            Some(HistogramRow { from_ns, to_ns, count: *count, cumulative: *cumulative })
        })
    }

    /// How many took at most 1, 2, 4, ... microseconds: pairs of that bound and the count so far,
    /// only where the count changes. This is the form of LATENCY HISTOGRAM.
    #[must_use]
    pub fn powers_of_two_us(&self) -> Vec<(u64, u64)> {
        let mut steps: Vec<(u64, u64)> = Vec::new();
        for row in self.rows() {
            // 1,024 ns are taken as a microsecond, as there: then buckets end where steps do.
            let step = (row.to_ns / 1_024 + 1).next_power_of_two();
            match steps.last_mut() {
                Some(last) if last.0 == step => last.1 = row.cumulative,
                _ => steps.push((step, row.cumulative)),
            }
        }
        steps
    }

    /// A table for people: bucket bounds, count and the share up to there, a line each.
    #[must_use]
    pub fn print(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for row in self.rows() {
            let share = row.cumulative as f64 * 100.0 / self.count as f64;
            let HistogramRow { from_ns, to_ns, count, .. } = row;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{from_ns}..={to_ns} ns: {count} ({share:.4} %)");
        }
        let _ =
            writeln!(text, "count {}, sum {} ns, max {} ns", self.count, self.sum_ns, self.max_ns);
        text
    }
}

const LAST_NS: u64 = (1 << VALUE_BITS) - 1;

const fn bucket(ns: u64) -> usize {
    let ns = if ns > LAST_NS { LAST_NS } else { ns };
    if ns < SUB {
        return ns as usize;
    }
    let shift = ns.ilog2() - SUB_BITS;
    ((shift as u64 + 1) * SUB + ((ns >> shift) - SUB)) as usize
}

const fn bounds(bucket: usize) -> (u64, u64) {
    let (turn, sub) = (bucket as u64 / SUB, bucket as u64 % SUB);
    if turn == 0 {
        return (sub, sub);
    }
    let shift = turn - 1;
    let from = (SUB + sub) << shift;
    (from, from + (1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{BUCKETS, Histogram, LAST_NS, bounds, bucket};

    #[test]
    fn buckets_cover_every_duration_once_and_in_order() {
        let mut next = 0;
        for index in 0..BUCKETS {
            let (from, to) = bounds(index);
            assert_eq!(from, next, "bucket {index}");
            assert_eq!((bucket(from), bucket(to)), (index, index));
            assert!(to - from <= from / 16, "bucket {index} is wider than 1/16");
            next = to + 1;
        }
        assert_eq!(next, LAST_NS + 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_a_sixteenth_of_the_sorted_truth() {
        for seed in 0..50 {
            let (mut rng, mut histogram) = (Rng::new(seed), Histogram::new());
            let mut all: Vec<u64> = Vec::new();
            for _ in 0..1_000 {
                let span = 1 << rng.below(40);
                let ns = rng.below(span);
                all.push(ns);
                histogram.record(ns);
            }
            all.sort_unstable();
            for q in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let rank = ((q * 1_000.0_f64).ceil() as usize).max(1);
                let (truth, got) = (all[rank - 1], histogram.quantile_ns(q));
                assert!(
                    got >= truth && got <= truth + truth / 16,
                    "seed {seed}, {q}: {got} {truth}"
                );
            }
            assert_eq!(histogram.max_ns(), all[999], "seed {seed}");
        }
    }

    #[test]
    fn merging_is_as_if_one_had_counted_all() {
        let (mut one, mut other, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for ns in [0, 15, 16, 17, 1_000, u64::MAX] {
            one.record(ns);
            both.record(ns);
            other.record(ns / 3);
            both.record(ns / 3);
        }
        one.merge(&other);
        assert_eq!(one, both);
        assert_eq!(one.quantile_ns(1.0), u64::MAX, "above the last bucket the maximum is exact");
    }

    #[test]
    fn an_empty_one_answers_zero() {
        let empty = Histogram::new();
        assert_eq!((empty.quantile_ns(0.5), empty.max_ns(), empty.rows().count()), (0, 0, 0));
        assert_eq!(empty.print(), "count 0, sum 0 ns, max 0 ns\n");
    }

    #[test]
    fn steps_of_two_are_cumulative() {
        let mut histogram = Histogram::new();
        for ns in [100, 900, 1_500, 2_000, 5_000, 5_100] {
            histogram.record(ns);
        }
        assert_eq!(histogram.powers_of_two_us(), [(1, 2), (2, 4), (8, 6)]);
    }
}
