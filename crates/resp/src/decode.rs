//! Replies back into values: the client's half of the wire.
//!
//! [`decode`] reads one whole reply or says that it is not all there. A large reply that comes in
//! many reads would be read again and again by it; [`Framer`] remembers how far it looked and finds
//! the reply's end in one pass over the bytes, after which `decode` runs once.
//!
//! Nothing is reserved from a length the other side declares, only from what has come.

use std::fmt;

use memchr::memchr;

use crate::Value;

/// How deep a reply may nest. COMMAND DOCS, the deepest Redis has, needs about ten; scripts may
/// answer what they like, so there is room, but not so much that reading it, or dropping it, which
/// both recurse, could exhaust a small thread's stack.
pub const DEPTH_MAX: usize = 64;

/// Longest line: a simple string, an error, a number. Long errors are the reason it is not smaller.
const LINE_LEN_MAX: usize = 1024 * 1024;

/// Elements reserved at once for an aggregate, whatever it declares.
const RESERVE_MAX: usize = 1_024;

/// Why the bytes are no reply. The connection is beyond use: where the next reply would start is
/// not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A reply starts with this byte.
    Type(u8),
    /// A length, integer, double, boolean or big number that is none.
    Number,
    /// A line end where none belongs, or none where one does.
    LineEnd,
    /// A line longer than any sensible one.
    LineTooLong,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// A verbatim string without its `txt:`.
    Verbatim,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(byte) => {
                write!(f, "Protocol error, got {:?} as reply type byte", char::from(*byte))
            }
            Self::Number => f.write_str("Bad number in a reply; is this a RESP server?"),
            Self::LineEnd => f.write_str("Bad line end in a reply; is this a RESP server?"),
            Self::LineTooLong => f.write_str("No line end in the first 1 MiB of a reply's line"),
            Self::TooDeep => write!(f, "No support for replies nested deeper than {DEPTH_MAX}"),
            Self::Verbatim => f.write_str("Verbatim string 4 bytes of content type are missing"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// What one type byte starts.
enum Item<'a> {
    /// A text up to its line end.
    Line(&'a [u8]),
    /// A text of a declared length.
    Bulk(&'a [u8]),
    /// A null in one of RESP2's forms.
    Null,
    /// So many replies follow (twice as many for pairs).
    Many(usize),
}

/// Reads the reply at the front of `buf`: its value and its length, or `None` if it is not all here.
pub fn decode(buf: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
    let mut pos = 0;
    Ok(read(buf, &mut pos, 0)?.map(|value| (value, pos)))
}

/// Finds where a reply ends, over any number of reads.
#[derive(Debug, Default)]
pub struct Framer {
    /// Bytes known to be whole items of this reply.
    pos: usize,
    /// Replies still to come on each open level.
    open: Vec<usize>,
}

impl Framer {
    /// A framer at the start of a reply.
    #[must_use]
    pub const fn new() -> Self {
        Self { pos: 0, open: Vec::new() }
    }

    /// The length of the reply at the front of `buf`, once it is all there; then the framer is ready
    /// for the next one. Until then call again with the same bytes and more behind them.
    pub fn advance(&mut self, buf: &[u8]) -> Result<Option<usize>, DecodeError> {
        loop {
            let Some((kind, item, next)) = item(buf, self.pos)? else { return Ok(None) };
            self.pos = next;
            match item {
                Item::Many(count) => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(DecodeError::TooDeep);
                    }
                    // Attributes stand before the reply they belong to: one more to come.
                    self.open
                        .push(replies_of(kind, count).saturating_add(usize::from(kind == b'|')));
                }
                Item::Line(_) | Item::Bulk(_) | Item::Null => self.close_one(),
            }
            while self.open.last() == Some(&0) {
                self.open.pop();
                self.close_one();
            }
            if self.open.is_empty() {
                return Ok(Some(std::mem::take(&mut self.pos)));
            }
        }
    }

    fn close_one(&mut self) {
        if let Some(left) = self.open.last_mut() {
            *left -= 1;
        }
    }
}

/// How many replies an aggregate of `count` elements holds.
fn replies_of(kind: u8, count: usize) -> usize {
    if matches!(kind, b'%' | b'|') { count.saturating_mul(2) } else { count }
}

fn read(buf: &[u8], pos: &mut usize, depth: usize) -> Result<Option<Value>, DecodeError> {
    let Some((kind, item, next)) = item(buf, *pos)? else { return Ok(None) };
    *pos = next;
    let count = match item {
        Item::Line(text) => return scalar(kind, text).map(Some),
        Item::Bulk(text) => return bulk(kind, text).map(Some),
        Item::Null => return Ok(Some(Value::Null)),
        Item::Many(count) => count,
    };
    if depth == DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    Ok(match kind {
        b'%' => pairs(buf, pos, count, depth + 1)?.map(Value::Map),
        b'|' => {
            let Some(attributes) = pairs(buf, pos, count, depth + 1)? else { return Ok(None) };
            read(buf, pos, depth + 1)?
                .map(|value| Value::Attribute { attributes, value: Box::new(value) })
        }
        b'~' => replies(buf, pos, count, depth + 1)?.map(Value::Set),
        b'>' => replies(buf, pos, count, depth + 1)?.map(Value::Push),
        _ => replies(buf, pos, count, depth + 1)?.map(Value::Array),
    })
}

fn replies(
    buf: &[u8],
    pos: &mut usize,
    count: usize,
    depth: usize,
) -> Result<Option<Vec<Value>>, DecodeError> {
    let mut all = Vec::with_capacity(count.min(RESERVE_MAX));
    for _ in 0..count {
        let Some(value) = read(buf, pos, depth)? else { return Ok(None) };
        all.push(value);
    }
    Ok(Some(all))
}

fn pairs(
    buf: &[u8],
    pos: &mut usize,
    count: usize,
    depth: usize,
) -> Result<Option<Vec<(Value, Value)>>, DecodeError> {
    let mut all = Vec::with_capacity(count.min(RESERVE_MAX));
    for _ in 0..count {
        let Some(key) = read(buf, pos, depth)? else { return Ok(None) };
        let Some(value) = read(buf, pos, depth)? else { return Ok(None) };
        all.push((key, value));
    }
    Ok(Some(all))
}

/// Reads what stands at `pos`, and where the next thing starts. `None` if it is not all here.
fn item(buf: &[u8], pos: usize) -> Result<Option<(u8, Item<'_>, usize)>, DecodeError> {
    let Some((&kind, rest)) = buf.get(pos..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    if !b"+-:$*_,#!=(%~>|".contains(&kind) {
        return Err(DecodeError::Type(kind));
    }
    let Some(line) = line(rest)? else { return Ok(None) };
    let next = pos + 1 + line.len() + 2;
    let declared = match kind {
        b'$' | b'!' | b'=' | b'*' | b'%' | b'~' | b'>' | b'|' => integer(line)?,
        _ => return Ok(Some((kind, Item::Line(line), next))),
    };
    if declared == -1 && matches!(kind, b'$' | b'*') {
        return Ok(Some((kind, Item::Null, next)));
    }
    let declared = usize::try_from(declared).map_err(|_| DecodeError::Number)?;
    if !matches!(kind, b'$' | b'!' | b'=') {
        return Ok(Some((kind, Item::Many(declared), next)));
    }
    let Some(end) = next.checked_add(declared) else { return Err(DecodeError::Number) };
    match buf.get(end..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(Some((kind, Item::Bulk(&buf[next..end]), end + 2))),
        [] | [b'\r'] => Ok(None),
        _ => Err(DecodeError::LineEnd),
    }
}

/// The line `rest` starts with, without its end.
fn line(rest: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let within = &rest[..rest.len().min(LINE_LEN_MAX)];
    let Some(len) = memchr(b'\r', within) else {
        return if within.len() == LINE_LEN_MAX { Err(DecodeError::LineTooLong) } else { Ok(None) };
    };
    match rest.get(len + 1) {
        Some(b'\n') => Ok(Some(&rest[..len])),
        Some(_) => Err(DecodeError::LineEnd),
        None => Ok(None),
    }
}

fn scalar(kind: u8, text: &[u8]) -> Result<Value, DecodeError> {
    Ok(match kind {
        b'+' => Value::Simple(text.to_vec()),
        b'-' => Value::Error(text.to_vec()),
        b':' => Value::Int(integer(text)?),
        b'_' if text.is_empty() => Value::Null,
        b'#' if text == b"t" => Value::Boolean(true),
        b'#' if text == b"f" => Value::Boolean(false),
        b',' => Value::Double(number(text)?),
        b'(' if is_integer(text) => Value::BigNumber(text.to_vec()),
        _ => return Err(DecodeError::Number),
    })
}

fn bulk(kind: u8, text: &[u8]) -> Result<Value, DecodeError> {
    Ok(match (kind, text) {
        (b'!', text) => Value::Error(text.to_vec()),
        (b'=', [a, b, c, b':', text @ ..]) => {
            Value::Verbatim { format: [*a, *b, *c], text: text.to_vec() }
        }
        (b'=', _) => return Err(DecodeError::Verbatim),
        (_, text) => Value::Bulk(text.to_vec()),
    })
}

fn integer(text: &[u8]) -> Result<i64, DecodeError> {
    number(text)
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, DecodeError> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(DecodeError::Number)
}
