//! `--latency`: how long a PING takes, a hundred times a second.
//!
//! On a terminal the line is drawn over and over; elsewhere one line is printed after an interval, for
//! scripts. With `--latency-history` a line is left standing every interval.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::format::Output;
use crate::session::{Outcome, Session, print};

/// Between two samples.
const SAMPLE_PAUSE: Duration = Duration::from_millis(10);

/// What one interval saw, in milliseconds.
#[derive(Debug, Default)]
struct Samples {
    min_ms: u64,
    max_ms: u64,
    ms_sum: u64,
    count: u64,
}

impl Samples {
    fn add(&mut self, ms: u64) {
        self.min_ms = if self.count == 0 { ms } else { self.min_ms.min(ms) };
        self.max_ms = self.max_ms.max(ms);
        self.ms_sum += ms;
        self.count += 1;
    }

    fn show(&self, output: Output) -> String {
        let Self { min_ms, max_ms, ms_sum, count } = self;
        let mean_ms = *ms_sum as f64 / *count as f64;
        match output {
            Output::Human => {
                format!("min: {min_ms}, max: {max_ms}, avg: {mean_ms:.2} ({count} samples)")
            }
            Output::Csv => format!("{min_ms},{max_ms},{mean_ms:.2},{count}\n"),
            Output::Raw => format!("{min_ms} {max_ms} {mean_ms:.2} {count}\n"),
            Output::Json | Output::QuotedJson => format!(
                "{{\"min\": {min_ms}, \"max\": {max_ms}, \"avg\": {mean_ms:.2}, \
                 \"count\": {count}}}\n"
            ),
        }
    }
}

/// Samples until the interval is over or, on a terminal or with a history, for ever.
pub(crate) fn run(session: &mut Session, history: bool) -> Outcome {
    let output = session.options.output;
    let interval = match (session.options.interval, history) {
        (Duration::ZERO, true) => Duration::from_secs(15),
        (Duration::ZERO, false) => Duration::from_secs(1),
        (given, _) => given,
    };
    let (mut samples, mut started) = (Samples::default(), Instant::now());
    loop {
        let sent = Instant::now();
        session.must(&["PING"])?;
        samples.add(u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX));
        let over = started.elapsed() > interval;
        if output == Output::Human {
            print(format!("\x1b[0G\x1b[2K{}", samples.show(output)).as_bytes());
        } else if over || history {
            print(samples.show(output).as_bytes());
        }
        if over && history {
            print(format!(" -- {:.2} seconds range\n", started.elapsed().as_secs_f64()).as_bytes());
            (samples, started) = (Samples::default(), Instant::now());
        } else if over && output != Output::Human {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(SAMPLE_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Samples};

    #[test]
    fn samples_are_summed_up_in_every_form() {
        let mut samples = Samples::default();
        for ms in [3, 1, 4] {
            samples.add(ms);
        }
        assert_eq!(samples.show(Output::Human), "min: 1, max: 4, avg: 2.67 (3 samples)");
        assert_eq!(samples.show(Output::Raw), "1 4 2.67 3\n");
        assert_eq!(samples.show(Output::Csv), "1,4,2.67,3\n");
    }
}
