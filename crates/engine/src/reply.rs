//! How a command answers, whatever protocol carries it.

use stoa_command::ReplyError;

/// The protocol version a connection speaks; a few commands answer in another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// RESP2: flat arrays, two nulls.
    #[default]
    Resp2,
    /// RESP3: maps, sets, doubles, booleans.
    Resp3,
}

/// The word up to its first zero byte.
pub(crate) fn c_string(word: &[u8]) -> &[u8] {
    &word[..word.iter().position(|byte| *byte == 0).unwrap_or(word.len())]
}

/// Where a command writes its answer. Aggregates are announced with their length and followed by
/// their elements. What the protocol version lacks is written as its published fallback.
pub trait Reply {
    /// A status such as `OK`.
    fn simple(&mut self, text: &str);
    /// An error line, code first, without the minus sign. Bytes, for it may repeat a client's own
    /// words; what would break the line is made harmless by the protocol.
    fn error_text(&mut self, text: &[u8]);
    /// An integer.
    fn int(&mut self, value: i64);
    /// Bytes.
    fn bulk(&mut self, bytes: &[u8]);
    /// Nothing there, where a bulk would be.
    fn null(&mut self);
    /// Nothing there, where an array would be.
    fn null_array(&mut self);
    /// `len` elements follow.
    fn array(&mut self, len: usize);
    /// `len` pairs follow (RESP2: a flat array).
    fn map(&mut self, len: usize);
    /// `len` distinct elements follow (RESP2: an array).
    fn set(&mut self, len: usize);
    /// Out of band: `len` elements follow.
    fn push(&mut self, len: usize);
    /// A floating point number (RESP2: a bulk).
    fn double(&mut self, value: f64);
    /// A floating point number in more digits than it takes to tell it from others (RESP2: a bulk).
    fn double_digits(&mut self, digits: &str);
    /// A boolean (RESP2: 1 or 0).
    fn boolean(&mut self, value: bool);
    /// A number of any size, in digits (RESP2, and who knows no such type: a bulk).
    fn big_number(&mut self, digits: &[u8]) {
        self.bulk(digits);
    }
    /// Attributes of the reply behind them: `len` pairs follow. False where there are none (RESP2, and who
    /// does not want them): then none is to be written.
    #[must_use]
    fn attribute(&mut self, len: usize) -> bool {
        let _ = len;
        false
    }
    /// Text for people, with a three-letter format such as `txt` (RESP2: a bulk).
    fn verbatim(&mut self, format: &str, text: &[u8]);

    /// Speaks this version from here on (HELLO answers in the version it switches to).
    fn set_proto(&mut self, proto: Proto);

    /// Where writing stands.
    fn mark(&self) -> usize;
    /// Forgets all since `mark`: an error replaces a half-written answer.
    fn rewind(&mut self, mark: usize);
    /// The error line, without the minus sign, if that is what was written at `mark`.
    fn error_at(&self, mark: usize) -> Option<&[u8]>;

    /// The status `OK`.
    fn ok(&mut self) {
        self.simple("OK");
    }

    /// An error that repeats a word of the client's: `before`, the word, `after`.
    fn error_echo(&mut self, before: &str, word: &[u8], after: &str) {
        self.error_words(&[before.as_bytes(), word, after.as_bytes()]);
    }

    /// An error of several pieces, of which some are a client's. Each ends where a C string would, as
    /// everywhere in the reference, and line ends around the text go.
    fn error_words(&mut self, pieces: &[&[u8]]) {
        let text: Vec<u8> = pieces.iter().flat_map(|piece| c_string(piece)).copied().collect();
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let len = text.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        self.error_text(&text[..len]);
    }

    /// An error of the shared list.
    fn error(&mut self, error: ReplyError) {
        // Errors are rare; one small string is no cost worth a second path.
        self.error_text(error.to_string().as_bytes());
    }
}
