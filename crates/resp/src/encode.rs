//! Replies into a buffer the connection owns.
//!
//! A command says what it means, a map or a double, and the encoder knows what that is on this
//! connection: RESP3 has a type for it, RESP2 the form its clients have always got. Lengths of up to
//! two digits, which is nearly all of them, are written without the integer formatter; a bulk grows
//! the buffer once.

use stoa_stdx::write_double;

/// Which protocol a connection speaks, as HELLO set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// Where every connection starts.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// A position in the output to return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// Longest `type, length, CR LF` in bytes: 1 + 20 + 2.
const HEADER_LEN_MAX: usize = 23;

/// The numbers below a hundred, two digits each.
static PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}

/// Writes replies behind what `out` already holds.
#[derive(Debug)]
pub struct Encoder<'a> {
    /// Where replies go.
    pub out: &'a mut Vec<u8>,
    /// What the connection speaks.
    pub proto: Proto,
}

impl<'a> Encoder<'a> {
    /// An encoder at the end of `out`.
    pub const fn new(out: &'a mut Vec<u8>, proto: Proto) -> Self {
        Self { out, proto }
    }

    /// Where the next reply will start.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// Forgets what was written since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// `+text`. The text must be one line; it is ours, never a client's.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "{text:?} is not one line");
        self.line(b'+', text.as_bytes());
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// `-text`, the code first (`ERR ...`). Line ends, which may come from a client's own words, turn
    /// into spaces.
    pub fn error(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(b'-');
        self.out.extend(text.iter().map(|&byte| match byte {
            b'\r' | b'\n' => b' ',
            byte => byte,
        }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// `:value`.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match u8::try_from(value) {
            Ok(digit @ 0..=9) => self.out.extend_from_slice(&[b':', b'0' + digit, b'\r', b'\n']),
            Ok(_) | Err(_) => self.long_int(value),
        }
    }

    /// Two digits at a time, from the last on, and appended as a block of fixed length: a copy of a length
    /// known only then costs more than the digits.
    fn long_int(&mut self, value: i64) {
        const LEN_MAX: usize = ":-9223372036854775808\r\n".len();
        let mut line = [0; 2 * LEN_MAX];
        let mut at = LEN_MAX - 2;
        line[at..LEN_MAX].copy_from_slice(b"\r\n");
        let mut rest = value.unsigned_abs();
        while rest >= 10 {
            at -= 2;
            line[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
            rest /= 100;
        }
        if rest > 0 {
            at -= 1;
            line[at] = b'0' + rest as u8;
        }
        if value < 0 {
            at -= 1;
            line[at] = b'-';
        }
        at -= 1;
        line[at] = b':';
        let len = self.out.len() + LEN_MAX - at;
        self.out.extend_from_slice(&line[at..at + LEN_MAX]);
        self.out.truncate(len);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(HEADER_LEN_MAX + bytes.len() + 2);
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string, as commands that answer texts of numbers do.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Only the header of a bulk of `len` bytes; its bytes and the final CR LF follow from elsewhere
    /// (a large value sent from where it lies).
    pub fn bulk_header(&mut self, len: usize) {
        self.header(b'$', len);
    }

    /// Nothing: `_`, or a bulk of no length in RESP2.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"$-1\r\n".as_slice(),
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// Nothing where an array was expected: `_`, or an array of no length in RESP2.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.proto {
            Proto::Resp2 => b"*-1\r\n".as_slice(),
            Proto::Resp3 => b"_\r\n",
        });
    }

    /// An array; `len` replies follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// A map; `len` pairs of replies follow. An array of twice the length in RESP2.
    pub fn map(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.header(b'*', len * 2),
            Proto::Resp3 => self.header(b'%', len),
        }
    }

    /// A set; `len` replies follow. An array in RESP2.
    pub fn set(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.header(b'*', len),
            Proto::Resp3 => self.header(b'~', len),
        }
    }

    /// A message nobody asked for; `len` replies follow. An array in RESP2.
    pub fn push(&mut self, len: usize) {
        match self.proto {
            Proto::Resp2 => self.header(b'*', len),
            Proto::Resp3 => self.header(b'>', len),
        }
    }

    /// Attributes of the reply behind them; `len` pairs follow. RESP2 has no such thing, so there
    /// the caller must write none: returns whether to go on.
    #[must_use]
    pub fn attribute(&mut self, len: usize) -> bool {
        let known = self.proto == Proto::Resp3;
        if known {
            self.header(b'|', len);
        }
        known
    }

    /// A double: `,` or, in RESP2, its text as a bulk.
    pub fn double(&mut self, value: f64) {
        // Whole numbers are the usual scores, and need no buffer on the heap.
        if value.abs() < 1e15 && value.trunc() == value && value != 0.0 {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(value as i64).as_bytes();
            return match self.proto {
                Proto::Resp2 => self.bulk(text),
                Proto::Resp3 => self.line(b',', text),
            };
        }
        // 1.7976931348623157e+308 has 23 bytes, a sign more.
        let mut text = Vec::with_capacity(24);
        write_double(&mut text, value);
        match self.proto {
            Proto::Resp2 => self.bulk(&text),
            Proto::Resp3 => self.line(b',', &text),
        }
    }

    /// A double in digits of the caller's choice.
    pub fn double_digits(&mut self, digits: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits.as_bytes()),
            Proto::Resp3 => self.line(b',', digits.as_bytes()),
        }
    }

    /// True or false: `#t`, or `:1` in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.proto, value) {
            (Proto::Resp2, true) => b":1\r\n",
            (Proto::Resp2, false) => b":0\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
            (Proto::Resp3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size in decimal: `(`, or a bulk in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits.as_bytes()),
            Proto::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A text with its format (`txt`, `mkd`): `=`, or a bulk in RESP2.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => {
                self.out.reserve(HEADER_LEN_MAX + text.len() + 6);
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, len: usize) {
        write_header(self.out, kind, len);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends a request as clients send it: an array of bulks.
pub fn write_request<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    let payload: usize = args.iter().map(|arg| arg.as_ref().len() + HEADER_LEN_MAX).sum();
    out.reserve(payload);
    write_header(out, b'*', args.len());
    for arg in args {
        write_header(out, b'$', arg.as_ref().len());
        out.extend_from_slice(arg.as_ref());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a type byte, a length and a line end. Small lengths are written where they are needed: one
/// is before each element of each answer.
#[inline(always)]
fn write_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    match len {
        0..=9 => out.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']),
        10..=99 => {
            let (tens, ones) = (len as u8 / 10, len as u8 % 10);
            out.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        _ => write_long_header(out, kind, len),
    }
}

#[inline(never)]
fn write_long_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    out.extend_from_slice(b"\r\n");
}
