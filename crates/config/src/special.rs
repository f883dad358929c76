//! Directives whose value has a grammar of its own: save points, output limits, percentiles, scores,
//! the primary to follow.
//!
//! Each has a parser and a printer here, side by side, with Redis's error texts. They keep the
//! general value code free of special cases.

use crate::value::{parse_integer, parse_memory};

/// Save once this many seconds passed with this many changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save.
    pub seconds: u64,
    /// Changes since the last save.
    pub changes: u64,
}

/// How much output may wait for a client that does not read. 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Closed at once above this many bytes.
    pub hard_bytes: u64,
    /// Closed after [`Self::soft_seconds`] above this many bytes.
    pub soft_bytes: u64,
    /// How long the soft limit may be exceeded.
    pub soft_seconds: u64,
}

/// Who an [`OutputLimit`] is for: the index into the array of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// An ordinary connection.
    Normal = 0,
    /// A replica of this node.
    Replica = 1,
    /// A connection with subscriptions.
    PubSub = 2,
}

/// The names of the classes as CONFIG GET prints them; `replica` is taken for `slave`.
const CLASS_NAMES: [&str; 3] = ["normal", "slave", "pubsub"];

pub(crate) fn parse_save_points(words: &[&[u8]]) -> Result<Box<[SavePoint]>, String> {
    let point = |pair: &[&[u8]]| {
        let [seconds, changes] = *pair else { return None };
        let seconds = parse_integer(seconds).filter(|&seconds| seconds >= 1)?;
        let changes = parse_integer(changes).filter(|&changes| changes >= 0)?;
        Some(SavePoint { seconds: seconds as u64, changes: changes as u64 })
    };
    words
        .chunks(2)
        .map(point)
        .collect::<Option<_>>()
        .ok_or_else(|| "Invalid save parameters".to_owned())
}

pub(crate) fn print_save_points(points: &[SavePoint]) -> String {
    let pairs: Vec<_> =
        points.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
    pairs.join(" ")
}

/// The limits after `words`, which name some classes; the others stay as in `old`.
pub(crate) fn parse_output_limits(
    words: &[&[u8]],
    old: [OutputLimit; 3],
) -> Result<[OutputLimit; 3], String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = old;
    for four in words.chunks(4) {
        let class = class_index(four[0]).ok_or_else(|| {
            "Invalid client class specified in buffer limit configuration.".to_owned()
        })?;
        limits[class] = output_limit(&four[1..]).ok_or_else(|| {
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned()
        })?;
    }
    Ok(limits)
}

fn class_index(word: &[u8]) -> Option<usize> {
    if word.eq_ignore_ascii_case(b"replica") {
        return Some(ClientClass::Replica as usize);
    }
    CLASS_NAMES.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

fn output_limit(three: &[&[u8]]) -> Option<OutputLimit> {
    let soft_seconds = parse_integer(three[2]).filter(|&seconds| seconds >= 0)? as u64;
    let (hard_bytes, soft_bytes) = (parse_memory(three[0])?, parse_memory(three[1])?);
    Some(OutputLimit { hard_bytes, soft_bytes, soft_seconds })
}

pub(crate) fn print_output_limits(limits: &[OutputLimit; 3]) -> String {
    let class = |(name, limit): (&str, &OutputLimit)| {
        format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
    };
    CLASS_NAMES.into_iter().zip(limits).map(class).collect::<Vec<_>>().join(" ")
}

pub(crate) fn parse_percentiles(words: &[&[u8]]) -> Result<Box<[Box<[u8]>]>, String> {
    let percentile = |word: &&[u8]| {
        let number: f64 = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            );
        }
        // Printed as a number, not as written: `50.0` is 50.
        Ok(number.to_string().into_bytes().into_boxed_slice())
    };
    words.iter().map(percentile).collect::<Result<_, _>>().map_err(str::to_owned)
}

pub(crate) fn parse_oom_scores(words: &[&[u8]]) -> Result<Box<[Box<[u8]>]>, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let fits =
        |word: &&[u8]| parse_integer(word).is_some_and(|score| (-2_000..=2_000).contains(&score));
    if !words.iter().all(fits) {
        return Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into());
    }
    Ok(words.iter().map(|&word| word.into()).collect())
}

pub(crate) fn parse_replica_of(words: &[&[u8]]) -> Result<Box<[Box<[u8]>]>, String> {
    let [host, port] = *words else {
        return if words.is_empty() {
            Ok([].into())
        } else {
            Err("wrong number of arguments".into())
        };
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok([].into());
    }
    if !parse_integer(port).is_some_and(|port| (0..=65_535).contains(&port)) {
        return Err("Invalid master port".into());
    }
    Ok([host.into(), port.into()].into())
}

/// The words of a set of choices: the first name stands for none.
pub(crate) fn choice_words(names: &'static [&'static str], bits: u16) -> Vec<&'static str> {
    if bits == 0 {
        return vec![names[0]];
    }
    (1..names.len()).filter(|index| bits & (1 << index) != 0).map(|index| names[index]).collect()
}
