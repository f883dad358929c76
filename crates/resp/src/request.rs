//! Requests out of a read buffer: where each argument lies, without copying or allocating.
//!
//! The common request, fewer than ten arguments of fewer than a hundred bytes, is read by fixed
//! loads and compares; anything else falls to the general header reader, which also decides every
//! error, so the two cannot disagree on what is wrong. A request that is not all here yet is
//! simply read again from its start when more came: payloads are skipped, not scanned, so that costs
//! a header per argument. Only past [`SPLIT_ARGS_MIN`] arguments the work done is kept, in one small
//! allocation, so that a request of a million arguments in small reads stays linear.
//!
//! Like Redis, and unlike its grammar, the byte after a header's CR and the two after a payload are
//! skipped unseen: checking them would cost the hot path, and the next `$` or `*` tells anyway.

use memchr::memchr;

use crate::ProtocolError;
use crate::inline::{Unbalanced, Word, next_word};
use crate::limits::{ARGS_MAX_UNAUTHENTICATED, BULK_LEN_MAX_UNAUTHENTICATED, Limits};

/// Arguments after which an incomplete request is worth remembering instead of reading again.
const SPLIT_ARGS_MIN: usize = 32;

/// Longest argument a [`Span`] can tell: its top bit says where the bytes lie.
const SPAN_LEN_MAX: usize = (1 << 31) - 1;

/// Set in [`Span::len`] when the bytes lie in the parser's scratch buffer, not in the read buffer.
const IN_SCRATCH: u32 = 1 << 31;

/// Where an argument lies. Resolve it with [`Parser::arg`]; for all requests but inline ones with
/// escapes that is `buf[start..start + len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes; the top bit marks an argument in the parser's scratch buffer.
    pub len: u32,
}

impl Span {
    fn in_buf(start: usize, len: usize) -> Self {
        Self { start: to_u32(start), len: to_u32(len) }
    }

    fn in_scratch(start: usize, len: usize) -> Self {
        Self { start: to_u32(start), len: to_u32(len) | IN_SCRATCH }
    }

    /// Moved by `by` bytes. Split requests keep spans relative to their start.
    fn shifted(self, by: usize) -> Self {
        Self { start: to_u32(self.start as usize + by), len: self.len }
    }
}

/// What stands at the front of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request of `argc` arguments, whose spans were pushed; it ends `consumed` bytes after `at`.
    Request {
        /// Number of arguments, at least one.
        argc: u32,
        /// Bytes from `at` to the next request.
        consumed: usize,
    },
    /// Nothing to run: an empty line, `*0`, `*-1`. Skip it, without a reply.
    Empty {
        /// Bytes from `at` to the next request.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// Bytes from `at` the request will have at least; always more than are there. It comes from
        /// a length the client declared, so reserve it only within the connection's buffer limit.
        need: usize,
    },
}

/// Reads requests, one connection each.
#[derive(Debug, Default)]
pub struct Parser {
    /// A long request of which a part has been read.
    split: Option<Box<Split>>,
    /// Inline arguments as they are meant, where that is not as they are written.
    scratch: Option<Box<Scratch>>,
}

/// Boxed: hardly any client writes such requests, and a parser belongs to every connection.
#[derive(Debug, Default)]
struct Scratch {
    bytes: Vec<u8>,
}

/// How far a long request has been read.
#[derive(Debug)]
struct Split {
    argc: u32,
    /// Where the next argument's header starts, counted from the start of the request.
    pos: usize,
    /// The arguments read so far, counted likewise.
    spans: Vec<Span>,
}

/// What reading a header's line came to.
enum Header {
    /// The number, and the position behind the line.
    Line(Option<i64>, usize),
    /// The line end is not there yet.
    Incomplete,
    /// There is no line end as far as one is looked for.
    TooBig,
}

/// What reading the arguments came to.
enum Bulks {
    /// All read; the request ends here.
    Done(usize),
    /// Stopped before the argument whose header is at `pos`; the buffer must reach at least `need`.
    Stopped { pos: usize, need: usize },
}

impl Parser {
    /// A parser at the start of a connection. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { split: None, scratch: None }
    }

    /// The bytes of an argument this parser found in `buf`.
    ///
    /// Spans stay good until a later `parse` is handed an empty `args`, which is taken as the sign
    /// that none are in use.
    #[inline]
    #[must_use]
    pub fn arg<'a>(&'a self, buf: &'a [u8], span: Span) -> &'a [u8] {
        let start = span.start as usize;
        let len = (span.len & !IN_SCRATCH) as usize;
        let from = if span.len & IN_SCRATCH == 0 { buf } else { self.scratch() };
        &from[start..start + len]
    }

    fn scratch(&self) -> &[u8] {
        self.scratch.as_ref().map_or(&[], |scratch| &scratch.bytes)
    }

    /// Reads one request of `buf` at `at`, and pushes its arguments to `args`, which is left as it
    /// was unless a whole request was found.
    ///
    /// After `Incomplete`, call again with the same bytes and more behind them; `at` may have
    /// changed. After an error the connection is beyond use. `buf` must be under 4 GiB.
    #[inline]
    pub fn parse(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        assert!(buf.len() < u32::MAX as usize, "a read buffer must stay under 4 GiB");
        if self.split.is_none()
            && let Some(&[b'*', digit, b'\r', _]) = buf[at..].first_chunk::<4>()
            && digit.wrapping_sub(b'1') < 9
        {
            return self.few(buf, at, u32::from(digit - b'0'), limits, args);
        }
        self.any(buf, at, limits, args)
    }

    /// The common request: one to nine arguments, read in one go.
    #[inline]
    fn few(
        &mut self,
        buf: &[u8],
        at: usize,
        argc: u32,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let entry = args.len();
        match bulks(buf, at + 4, argc as usize, 0, limits, args) {
            Ok(Bulks::Done(end)) => Ok(Parsed::Request { argc, consumed: end - at }),
            Ok(Bulks::Stopped { need, .. }) => {
                args.truncate(entry);
                Ok(Parsed::Incomplete { need: need - at })
            }
            Err(error) => {
                args.truncate(entry);
                Err(error)
            }
        }
    }

    /// Everything else.
    #[inline(never)]
    fn any(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        if let Some(split) = self.split.take() {
            return self.resume(split, buf, at, limits, args);
        }
        match buf.get(at) {
            None => Ok(Parsed::Incomplete { need: 1 }),
            Some(b'*') => self.many(buf, at, limits, args),
            Some(_) => self.inline(buf, at, limits, args),
        }
    }

    /// A request whose argument count has more than one digit, or is odd, or not all here.
    fn many(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let (count, pos) = match header(buf, at, limits) {
            Header::Line(count, pos) => (count, pos),
            Header::Incomplete => return Ok(Parsed::Incomplete { need: buf.len() - at + 1 }),
            Header::TooBig => return Err(ProtocolError::ArgsHeaderTooBig),
        };
        let argc = args_count(count, limits)?;
        if argc == 0 {
            return Ok(Parsed::Empty { consumed: pos - at });
        }
        let entry = args.len();
        match bulks(buf, pos, argc as usize, 0, limits, args) {
            Ok(Bulks::Done(end)) => Ok(Parsed::Request { argc, consumed: end - at }),
            Ok(Bulks::Stopped { pos, need }) => {
                if args.len() - entry >= SPLIT_ARGS_MIN {
                    let spans = args[entry..]
                        .iter()
                        .map(|span| Span { start: span.start - to_u32(at), len: span.len });
                    let spans = spans.collect();
                    self.split = Some(Box::new(Split { argc, pos: pos - at, spans }));
                }
                args.truncate(entry);
                Ok(Parsed::Incomplete { need: need - at })
            }
            Err(error) => {
                args.truncate(entry);
                Err(error)
            }
        }
    }

    /// Goes on with a long request where the last call stopped.
    fn resume(
        &mut self,
        mut split: Box<Split>,
        buf: &[u8],
        at: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let left = split.argc as usize - split.spans.len();
        match bulks(buf, at + split.pos, left, at, limits, &mut split.spans)? {
            Bulks::Done(end) => {
                args.extend(split.spans.iter().map(|span| span.shifted(at)));
                Ok(Parsed::Request { argc: split.argc, consumed: end - at })
            }
            Bulks::Stopped { pos, need } => {
                split.pos = pos - at;
                self.split = Some(split);
                Ok(Parsed::Incomplete { need: need - at })
            }
        }
    }

    /// A line of words, as a person types it.
    fn inline(
        &mut self,
        buf: &[u8],
        at: usize,
        limits: &Limits,
        args: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        // Looked for this far and no farther, whatever has been read, so that the outcome does not
        // depend on how the bytes came in.
        let line = &buf[at..buf.len().min(at + limits.inline_max + 1)];
        let Some(len) = memchr(b'\n', line) else {
            return if line.len() > limits.inline_max {
                Err(ProtocolError::InlineTooBig)
            } else {
                Ok(Parsed::Incomplete { need: line.len() + 1 })
            };
        };
        let line = &line[..len];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let entry = args.len();
        let scratch = &mut self.scratch.get_or_insert_default().bytes;
        if entry == 0 {
            scratch.clear();
        }
        let mut pos = 0;
        loop {
            match next_word(line, &mut pos, scratch) {
                Ok(Some(Word::Line(start, end))) => {
                    args.push(Span::in_buf(at + start, end - start));
                }
                Ok(Some(Word::Scratch(start, end))) => {
                    args.push(Span::in_scratch(start, end - start));
                }
                Ok(None) => break,
                Err(Unbalanced) => {
                    args.truncate(entry);
                    return Err(ProtocolError::UnbalancedQuotes);
                }
            }
        }
        let consumed = len + 1;
        Ok(match to_u32(args.len() - entry) {
            0 => Parsed::Empty { consumed },
            argc => Parsed::Request { argc, consumed },
        })
    }
}

/// Reads `count` arguments from `pos` on, whose spans are counted from `base`.
#[inline]
fn bulks(
    buf: &[u8],
    mut pos: usize,
    count: usize,
    base: usize,
    limits: &Limits,
    out: &mut Vec<Span>,
) -> Result<Bulks, ProtocolError> {
    for _ in 0..count {
        let (len, start) = match short_header(buf, pos) {
            Some(found) => found,
            None => match bulk_header(buf, pos, limits)? {
                Some(found) => found,
                None => return Ok(Bulks::Stopped { pos, need: buf.len() + 1 }),
            },
        };
        let end = start + len + 2;
        if end > buf.len() {
            return Ok(Bulks::Stopped { pos, need: end });
        }
        out.push(Span::in_buf(start - base, len));
        pos = end;
    }
    Ok(Bulks::Done(pos))
}

/// `$N` with N of one or two digits: the length, and where the payload starts. `None` for
/// everything else, good or bad, which [`bulk_header`] then reads.
#[inline]
fn short_header(buf: &[u8], pos: usize) -> Option<(usize, usize)> {
    let [dollar, tens, ones, cr, _] = *buf.get(pos..)?.first_chunk::<5>()?;
    let first = tens.wrapping_sub(b'0');
    if dollar != b'$' || first > 9 {
        return None;
    }
    if ones == b'\r' {
        return Some((usize::from(first), pos + 4));
    }
    let second = ones.wrapping_sub(b'0');
    if cr != b'\r' || second > 9 || first == 0 {
        return None;
    }
    Some((usize::from(first) * 10 + usize::from(second), pos + 5))
}

/// Any `$N`: the length and where the payload starts, or `None` if the line is not all here.
#[inline(never)]
fn bulk_header(
    buf: &[u8],
    pos: usize,
    limits: &Limits,
) -> Result<Option<(usize, usize)>, ProtocolError> {
    let (len, start) = match header(buf, pos, limits) {
        Header::Line(len, start) => (len, start),
        Header::Incomplete => return Ok(None),
        Header::TooBig => return Err(ProtocolError::BulkHeaderTooBig),
    };
    if buf[pos] != b'$' {
        return Err(ProtocolError::ExpectedBulk(buf[pos]));
    }
    let len_max = limits.bulk_len_max.min(SPAN_LEN_MAX);
    let len = len.and_then(|len| usize::try_from(len).ok()).filter(|&len| len <= len_max);
    let Some(len) = len else { return Err(ProtocolError::BulkLen) };
    if limits.unauthenticated && len > BULK_LEN_MAX_UNAUTHENTICATED {
        return Err(ProtocolError::BulkLenUnauthenticated);
    }
    Ok(Some((len, start)))
}

/// The argument count a header's number stands for; 0 for no request.
fn args_count(count: Option<i64>, limits: &Limits) -> Result<u32, ProtocolError> {
    let count = count.ok_or(ProtocolError::ArgsLen)?;
    let Ok(argc) = u32::try_from(count.max(0)) else { return Err(ProtocolError::ArgsLen) };
    if argc as usize > limits.args_max {
        return Err(ProtocolError::ArgsLen);
    }
    if limits.unauthenticated && argc as usize > ARGS_MAX_UNAUTHENTICATED {
        return Err(ProtocolError::ArgsLenUnauthenticated);
    }
    Ok(argc)
}

/// Reads the line at `pos`, one type byte and a number. Complete only with the byte after its CR.
fn header(buf: &[u8], pos: usize, limits: &Limits) -> Header {
    let line = &buf[pos.min(buf.len())..buf.len().min(pos + limits.inline_max + 1)];
    match memchr(b'\r', line) {
        Some(len) if pos + len + 2 <= buf.len() => {
            Header::Line(line.get(1..len).and_then(parse_i64), pos + len + 2)
        }
        None if line.len() > limits.inline_max => Header::TooBig,
        Some(_) | None => Header::Incomplete,
    }
}

/// A decimal integer in its one canonical form: no plus, no leading zero, no space, no `-0`.
fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut value: i64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Built downwards: the smallest number has no positive counterpart.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A position in a buffer, which is under 4 GiB.
#[inline]
fn to_u32(n: usize) -> u32 {
    debug_assert!(u32::try_from(n).is_ok(), "{n} lies outside a buffer under 4 GiB");
    n as u32
}

#[cfg(test)]
mod tests {
    use super::parse_i64;

    #[test]
    fn a_number_has_one_form() {
        for (text, want) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-1", Some(-1)),
            ("1048576", Some(1_048_576)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), want, "{text:?}");
        }
    }
}
