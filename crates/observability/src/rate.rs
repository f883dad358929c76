//! How fast a counter grows: the mean over the last sixteen samples, for INFO's `instantaneous_*`.
//!
//! Samples are taken by whoever owns the clock, about every 100 ms while there is something to do; the
//! mean is of the rates of the samples. One that comes late stands for all that were missed, so a
//! sleeper needs not be woken in order to be seen asleep.

use stoa_stdx::MonoMs;

use crate::Counters;
use crate::info::Instantaneous;

const SAMPLES: usize = 16;
/// From one sample to the next, milliseconds.
const SAMPLE_MS: u64 = 100;

/// Growth of one counter per second.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    last: Option<(MonoMs, u64)>,
    per_second: [u64; SAMPLES],
    next: usize,
}

impl Rate {
    /// Takes a sample. The first only marks the start; one at the same millisecond as the last is
    /// left out, one after a long silence counts as many, and a counter that went back (a reset)
    /// counts as standing still.
    pub fn sample(&mut self, now: MonoMs, counter: u64) {
        if let Some((then, before)) = self.last {
            let ms = now.0.saturating_sub(then.0);
            if ms == 0 {
                return;
            }
            let grown = u128::from(counter.saturating_sub(before)) * 1_000 / u128::from(ms);
            for _ in 0..(ms / SAMPLE_MS).clamp(1, SAMPLES as u64) {
                self.per_second[self.next] = u64::try_from(grown).unwrap_or(u64::MAX);
                self.next = (self.next + 1) % SAMPLES;
            }
        }
        self.last = Some((now, counter));
    }

    /// Mean over the last samples, per second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        let sum: u128 = self.per_second.iter().map(|rate| u128::from(*rate)).sum();
        (sum / SAMPLES as u128) as u64
    }
}

/// How fast a shard works.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    next: MonoMs,
    ops: Rate,
    input: Rate,
    output: Rate,
    passes: Rate,
}

impl Rates {
    /// Takes samples if it is time. Called once a pass: one comparison, nearly always.
    #[inline]
    pub fn look(&mut self, now: MonoMs, counters: &Counters) {
        if now >= self.next {
            self.sample(now, counters);
        }
    }

    fn sample(&mut self, now: MonoMs, counters: &Counters) {
        self.next = MonoMs(now.0 + SAMPLE_MS);
        self.ops.sample(now, counters.commands_processed);
        self.input.sample(now, counters.net_input_bytes);
        self.output.sample(now, counters.net_output_bytes);
        self.passes.sample(now, counters.passes);
    }

    /// What INFO says of them.
    #[must_use]
    pub fn instantaneous(&self) -> Instantaneous {
        Instantaneous {
            ops: self.ops.per_second(),
            input_bytes: self.input.per_second(),
            output_bytes: self.output.per_second(),
            passes: self.passes.per_second(),
            ..Instantaneous::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::MonoMs;

    use super::Rate;

    #[test]
    fn a_late_sample_stands_for_those_that_were_missed() {
        let mut rate = Rate::default();
        for step in 0..=16 {
            rate.sample(MonoMs(step * 100), step * 50);
        }
        rate.sample(MonoMs(1_600 + 800), 800);
        assert_eq!(rate.per_second(), 250, "half of the time nothing happened");
        rate.sample(MonoMs(1_000_000), 801);
        assert_eq!(rate.per_second(), 0, "long ago");
    }

    #[test]
    fn a_steady_counter_shows_its_pace_and_a_stopped_one_fades_to_zero() {
        let mut rate = Rate::default();
        for step in 0..=16 {
            rate.sample(MonoMs(step * 100), step * 50);
        }
        assert_eq!(rate.per_second(), 500);
        rate.sample(MonoMs(1_600), 9_999);
        assert_eq!(rate.per_second(), 500, "no time passed");
        for step in 17..=32 {
            rate.sample(MonoMs(step * 100), 0);
        }
        assert_eq!(rate.per_second(), 0, "a reset counter is no growth");
    }
}
