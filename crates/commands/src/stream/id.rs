//! Ids as clients write them: `123-4`, `123`, `-`, `+`, `(123-4`.

use stoa_command::ReplyError;
use stoa_value::StreamId;

pub(super) const INVALID: ReplyError =
    ReplyError::Text("ERR Invalid stream ID specified as stream command argument");

/// Text longer than this is no id.
const TEXT_LEN_MAX: usize = 127;

/// A number as `strtoull` reads it: leading space and zeros and a plus sign are accepted.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim_start_matches([' ', '\t', '\n', '\r']);
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A full id, or a moment alone, whose number is then `seq`.
pub(super) fn parse(text: &[u8], seq: u64) -> Result<StreamId, ReplyError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(INVALID);
    }
    // It ends where a C string does.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let parts = match text.iter().position(|byte| *byte == b'-') {
        None => number(text).map(|ms| StreamId { ms, seq }),
        Some(dash) => number(&text[..dash])
            .zip(number(&text[dash + 1..]))
            .map(|(ms, seq)| StreamId { ms, seq }),
    };
    parts.ok_or(INVALID)
}

/// An id that may also be `-` or `+`, the first and the last there is.
fn parse_any(text: &[u8], seq: u64) -> Result<StreamId, ReplyError> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse(text, seq),
    }
}

/// The first id of an interval; `(` leaves the one written out.
pub(super) fn parse_start(text: &[u8]) -> Result<StreamId, ReplyError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => {
            let out = ReplyError::Text("ERR invalid start ID for the interval");
            parse(rest, 0)?.next().ok_or(out)
        }
        _ => parse_any(text, 0),
    }
}

/// The last id of an interval; `(` leaves the one written out.
pub(super) fn parse_end(text: &[u8]) -> Result<StreamId, ReplyError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => {
            let out = ReplyError::Text("ERR invalid end ID for the interval");
            parse(rest, u64::MAX)?.prev().ok_or(out)
        }
        _ => parse_any(text, u64::MAX),
    }
}

/// The id of a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the next one now.
    Auto,
    /// `123-*`: the next one of that moment.
    AutoSeq(u64),
    /// This one.
    Given(StreamId),
}

impl NewId {
    pub(super) fn parse(text: &[u8]) -> Result<Self, ReplyError> {
        if text == b"*" {
            return Ok(Self::Auto);
        }
        match text.strip_suffix(b"-*") {
            Some(ms) if text.len() <= TEXT_LEN_MAX => number(ms).map(Self::AutoSeq).ok_or(INVALID),
            _ => Ok(Self::Given(parse(text, 0)?)),
        }
    }

    /// What comes of it after `last`; None when it is not greater.
    pub(super) fn settle(self, last: StreamId, now_ms: u64) -> Option<StreamId> {
        match self {
            Self::Auto if now_ms > last.ms => Some(StreamId { ms: now_ms, seq: 0 }),
            Self::Auto => last.next(),
            Self::AutoSeq(ms) if ms == last.ms => {
                last.seq.checked_add(1).map(|seq| StreamId { ms, seq })
            }
            Self::AutoSeq(ms) => Some(StreamId { ms, seq: 0 }).filter(|id| *id > last),
            Self::Given(id) => Some(id).filter(|id| *id > last),
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_value::StreamId;

    use super::{NewId, parse, parse_end, parse_start};

    #[test]
    fn ids_are_read_as_the_reference_reads_them() {
        let id = |ms, seq| StreamId { ms, seq };
        assert_eq!(parse(b"5-3", 0), Ok(id(5, 3)));
        assert_eq!(parse(b"5", 9), Ok(id(5, 9)));
        assert_eq!(parse(b"007", 0), Ok(id(7, 0)));
        for text in [&b""[..], b"-", b"+", b"5-", b"-5", b"5-3-2", b"x", b"99999999999999999999"] {
            assert!(parse(text, 0).is_err(), "{text:?}");
        }
        assert_eq!(parse_start(b"(5-3"), Ok(id(5, 4)));
        assert_eq!(parse_end(b"(5-0"), Ok(id(4, u64::MAX)));
        assert!(parse_start(b"(18446744073709551615-18446744073709551615").is_err());
        assert!(parse_end(b"(0-0").is_err() && parse_start(b"(").is_err());
    }

    #[test]
    fn new_ids_only_grow() {
        let last = StreamId { ms: 5, seq: 7 };
        assert_eq!(NewId::Auto.settle(last, 3), last.next());
        assert_eq!(NewId::AutoSeq(5).settle(last, 0), last.next());
        assert_eq!(NewId::AutoSeq(4).settle(last, 0), None);
        assert_eq!(NewId::AutoSeq(0).settle(StreamId::MIN, 0), Some(StreamId { ms: 0, seq: 1 }));
        assert_eq!(NewId::Given(last).settle(last, 0), None);
        assert_eq!(NewId::Auto.settle(StreamId::MAX, 0), None);
    }
}
