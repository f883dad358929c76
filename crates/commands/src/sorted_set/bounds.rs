//! What ranges are written as: scores, bytes, ranks. Each becomes a range of ranks.

use stoa_command::ReplyError;
use stoa_stdx::c_double;
use stoa_value::SortedSet;

/// From one score to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreRange {
    min: (f64, bool),
    max: (f64, bool),
}

impl ScoreRange {
    /// `1.5`, `(1.5` without the bound itself, `-inf`.
    pub(super) fn parse(min: &[u8], max: &[u8]) -> Result<Self, ReplyError> {
        let bad = ReplyError::Text("ERR min or max is not a float");
        Ok(Self { min: bound(min).ok_or(bad)?, max: bound(max).ok_or(bad)? })
    }

    /// The ranks of what lies between.
    pub(super) fn ranks(&self, set: &SortedSet) -> (usize, usize) {
        let ((min, min_open), (max, max_open)) = (self.min, self.max);
        // An empty range is not looked for.
        if min > max {
            return (0, 0);
        }
        let from = set.count_before_score(|score| score < min || (min_open && score == min));
        let to = set.count_before_score(|score| score < max || (!max_open && score == max));
        (from, to.max(from))
    }
}

/// A bound, and whether it stands outside itself. As `strtod` reads a C string: space before it is
/// skipped, nothing at all is zero, too large is infinite.
fn bound(text: &[u8]) -> Option<(f64, bool)> {
    let (text, is_open) = match text.strip_prefix(b"(") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let text = text.split(|byte| *byte == 0).next()?.trim_ascii_start();
    if text.is_empty() {
        return Some((0.0, is_open));
    }
    let value = c_double(text)?;
    (!value.is_nan()).then_some((value, is_open))
}

/// One end of a range of bytes.
#[derive(Clone, Copy, Debug)]
enum LexBound<'a> {
    Lowest,
    Highest,
    Closed(&'a [u8]),
    Open(&'a [u8]),
}

/// From some bytes to others, for members of one score.
#[derive(Clone, Copy, Debug)]
pub(super) struct LexRange<'a> {
    min: LexBound<'a>,
    max: LexBound<'a>,
}

impl<'a> LexRange<'a> {
    /// `[abc`, `(abc` without the bound itself, `-`, `+`.
    pub(super) fn parse(min: &'a [u8], max: &'a [u8]) -> Result<Self, ReplyError> {
        let bad = ReplyError::Text("ERR min or max not valid string range item");
        let bound = |text: &'a [u8]| match text {
            b"-" => Some(LexBound::Lowest),
            b"+" => Some(LexBound::Highest),
            [b'[', rest @ ..] => Some(LexBound::Closed(rest)),
            [b'(', rest @ ..] => Some(LexBound::Open(rest)),
            _ => None,
        };
        Ok(Self { min: bound(min).ok_or(bad)?, max: bound(max).ok_or(bad)? })
    }

    /// The ranks of what lies between.
    pub(super) fn ranks(&self, set: &SortedSet) -> (usize, usize) {
        let below =
            |bound: &[u8]| set.count_before(|_, member| member.with(|member| member < bound));
        let upto =
            |bound: &[u8]| set.count_before(|_, member| member.with(|member| member <= bound));
        let from = match self.min {
            LexBound::Lowest => 0,
            LexBound::Highest => set.len(),
            LexBound::Closed(bound) => below(bound),
            LexBound::Open(bound) => upto(bound),
        };
        let to = match self.max {
            LexBound::Lowest => 0,
            LexBound::Highest => set.len(),
            LexBound::Closed(bound) => upto(bound),
            LexBound::Open(bound) => below(bound),
        };
        (from, to.max(from))
    }
}

/// From one rank to another, both inside; below zero they count from the end.
pub(super) fn ranks(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let place = |index: i64| if index < 0 { index + len } else { index };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { (0, 0) } else { (start as usize, stop as usize + 1) }
}

#[cfg(test)]
mod tests {
    use super::{bound, ranks};

    #[test]
    fn ranks_are_cut_to_what_there_is() {
        for (start, stop, want) in [
            (0, -1, (0, 5)),
            (1, 2, (1, 3)),
            (-2, 100, (3, 5)),
            (-100, 0, (0, 1)),
            (3, 1, (0, 0)),
            (5, 9, (0, 0)),
            (i64::MIN, i64::MAX, (0, 5)),
        ] {
            assert_eq!(ranks(start, stop, 5), want, "{start} {stop}");
        }
        assert_eq!(ranks(0, -1, 0), (0, 0));
    }

    #[test]
    fn bounds_are_read_as_the_reference_reads_them() {
        assert_eq!(bound(b"(1.5"), Some((1.5, true)));
        assert_eq!(bound(b"-inf"), Some((f64::NEG_INFINITY, false)));
        assert_eq!(bound(b"1e999"), Some((f64::INFINITY, false)));
        assert_eq!(bound(b""), Some((0.0, false)));
        assert_eq!(bound(b"(0x10"), Some((16.0, true)));
        assert_eq!(bound(b"1.5\x00junk"), Some((1.5, false)));
        assert_eq!(bound(b"1e-999"), Some((0.0, false)));
        for text in [&b"nan"[..], b"((1", b"1 ", b"x"] {
            assert_eq!(bound(text), None, "{text:?}");
        }
    }
}
