//! The engine's [`Reply`] written as RESP straight into a connection's output.

use stoa_engine::{Proto, Reply};
use stoa_resp::Encoder;

/// Writes replies at the end of a buffer.
pub struct RespReply<'a>(Encoder<'a>);

impl<'a> RespReply<'a> {
    /// A writer for a client that speaks `proto`.
    pub const fn new(out: &'a mut Vec<u8>, proto: Proto) -> Self {
        Self(Encoder::new(out, wire(proto)))
    }
}

const fn wire(proto: Proto) -> stoa_resp::Proto {
    match proto {
        Proto::Resp2 => stoa_resp::Proto::Resp2,
        Proto::Resp3 => stoa_resp::Proto::Resp3,
    }
}

/// The text of an error reply, if `reply` begins with one.
pub(crate) fn error_line(reply: &[u8]) -> Option<&[u8]> {
    let text = reply.strip_prefix(b"-")?;
    Some(&text[..text.iter().position(|byte| *byte == b'\r').unwrap_or(text.len())])
}

impl Reply for RespReply<'_> {
    fn simple(&mut self, text: &str) {
        self.0.simple(text);
    }

    fn error_text(&mut self, text: &[u8]) {
        self.0.error(text);
    }

    fn int(&mut self, value: i64) {
        self.0.int(value);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.0.bulk(bytes);
    }

    fn null(&mut self) {
        self.0.null();
    }

    fn null_array(&mut self) {
        self.0.null_array();
    }

    fn array(&mut self, len: usize) {
        self.0.array(len);
    }

    fn map(&mut self, len: usize) {
        self.0.map(len);
    }

    fn set(&mut self, len: usize) {
        self.0.set(len);
    }

    fn push(&mut self, len: usize) {
        self.0.push(len);
    }

    fn double(&mut self, value: f64) {
        self.0.double(value);
    }

    fn double_digits(&mut self, digits: &str) {
        self.0.double_digits(digits);
    }

    fn boolean(&mut self, value: bool) {
        self.0.boolean(value);
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.0.big_number(&String::from_utf8_lossy(digits));
    }

    fn attribute(&mut self, len: usize) -> bool {
        self.0.attribute(len)
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        let format = format.as_bytes().try_into().unwrap_or(b"txt");
        self.0.verbatim(format, text);
    }

    fn set_proto(&mut self, proto: Proto) {
        self.0.proto = wire(proto);
    }

    fn mark(&self) -> usize {
        self.0.out.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.0.out.truncate(mark);
    }

    fn error_at(&self, mark: usize) -> Option<&[u8]> {
        error_line(&self.0.out[mark..])
    }

    fn ok(&mut self) {
        self.0.ok();
    }
}
