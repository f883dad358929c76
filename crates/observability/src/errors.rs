//! Error replies by their first word, for INFO errorstats.
//!
//! A script can answer any first word, so a program that puts a number there would grow this
//! without bound. Above [`ERROR_PREFIXES_MAX`] words it forgets them all and stops until the
//! statistics are reset, and says so in INFO, as Redis 7.4 does.

use std::collections::BTreeMap;

/// Different first words told apart, over all shards. More than any honest program makes.
pub const ERROR_PREFIXES_MAX: usize = 128;

/// The name INFO shows instead when counting has stopped.
const STOPPED: &str = "ERRORSTATS_DISABLED";

/// How counting went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// It was counted, or had stopped before.
    Goes,
    /// It stops with this one: worth a line in the log.
    StoppedNow,
}

/// Error replies by first word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorStats {
    by_prefix: BTreeMap<Box<[u8]>, u64>,
    stopped: bool,
}

impl ErrorStats {
    /// Counts an error reply. `reply` is its text, with or without the leading `-`; its first word
    /// counts, and `ERR` is meant where there is none.
    pub fn record(&mut self, reply: &[u8]) -> Tracking {
        if self.stopped {
            return Tracking::Goes;
        }
        self.add(prefix(reply), 1)
    }

    /// Adds another shard's.
    pub fn merge(&mut self, other: &Self) -> Tracking {
        if self.stopped {
            return Tracking::Goes;
        }
        if other.stopped {
            return self.stop();
        }
        for (prefix, count) in &other.by_prefix {
            if self.add(prefix, *count) == Tracking::StoppedNow {
                return Tracking::StoppedNow;
            }
        }
        Tracking::Goes
    }

    /// First words and counts, sorted by word. Words are what may stand in a line of INFO.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> {
        let stopped = self.stopped.then(|| (STOPPED.to_owned(), 1));
        self.by_prefix.iter().map(|(prefix, count)| (printable(prefix), *count)).chain(stopped)
    }

    fn add(&mut self, prefix: &[u8], count: u64) -> Tracking {
        if let Some(known) = self.by_prefix.get_mut(prefix) {
            *known += count;
            return Tracking::Goes;
        }
        if self.by_prefix.len() >= ERROR_PREFIXES_MAX {
            return self.stop();
        }
        self.by_prefix.insert(prefix.into(), count);
        Tracking::Goes
    }

    fn stop(&mut self) -> Tracking {
        self.by_prefix.clear();
        self.stopped = true;
        Tracking::StoppedNow
    }
}

/// Longest first word that counts as one, as in the reference: what goes into INFO is bounded also where
/// a script answers 1 MB.
const PREFIX_LEN_MAX: usize = 30;

/// The first word, if another follows.
fn prefix(reply: &[u8]) -> &[u8] {
    let reply = reply.strip_prefix(b"-").unwrap_or(reply);
    match reply.iter().take(PREFIX_LEN_MAX + 1).position(|byte| *byte == b' ') {
        None | Some(0) => b"ERR",
        Some(len) => &reply[..len],
    }
}

/// What would break a line or its parsing becomes `_`.
fn printable(prefix: &[u8]) -> String {
    let safe =
        |byte: &u8| if byte.is_ascii_graphic() && *byte != b':' { *byte as char } else { '_' };
    prefix.iter().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::{ERROR_PREFIXES_MAX, ErrorStats, Tracking};

    fn list(stats: &ErrorStats) -> Vec<(String, u64)> {
        stats.iter().collect()
    }

    #[test]
    fn errors_count_by_first_word() {
        let mut stats = ErrorStats::default();
        for reply in [
            "-ERR syntax error\r\n",
            "ERR no such key",
            "-WRONGTYPE Op",
            "",
            "-a:b\tc d",
            "ALONE\r\n",
        ] {
            stats.record(reply.as_bytes());
        }
        stats.record(format!("{} x", "L".repeat(30)).as_bytes());
        stats.record(format!("{} x", "L".repeat(31)).as_bytes());
        let long = "L".repeat(30);
        let want = [("ERR", 5), (long.as_str(), 1), ("WRONGTYPE", 1), ("a_b_c", 1)];
        assert_eq!(list(&stats), want.map(|(word, count)| (word.to_owned(), count)));
    }

    #[test]
    fn too_many_words_stop_the_counting_once_and_until_reset() {
        let mut stats = ErrorStats::default();
        for word in 0..ERROR_PREFIXES_MAX {
            assert_eq!(stats.record(format!("E{word} x").as_bytes()), Tracking::Goes);
        }
        assert_eq!(stats.record(b"E1 again"), Tracking::Goes);
        assert_eq!(stats.record(b"ONE more"), Tracking::StoppedNow);
        assert_eq!(stats.record(b"AND more"), Tracking::Goes);
        assert_eq!(list(&stats), [("ERRORSTATS_DISABLED".to_owned(), 1)]);
    }

    #[test]
    fn merging_adds_and_the_limit_holds_for_the_whole() {
        let (mut one, mut other) = (ErrorStats::default(), ErrorStats::default());
        for word in 0..100 {
            one.record(format!("A{word} x").as_bytes());
            other.record(format!("B{word} x").as_bytes());
        }
        let mut twice = one.clone();
        twice.merge(&one);
        assert!(list(&twice).iter().all(|(_, count)| *count == 2));
        assert_eq!(one.merge(&other), Tracking::StoppedNow);
        assert_eq!(list(&one).len(), 1);
    }
}
