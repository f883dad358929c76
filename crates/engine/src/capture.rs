//! An answer kept as it was written, to be joined with others or written again elsewhere.

use stoa_command::ResponsePolicy;

use crate::{Proto, Reply};

/// One call of [`Reply`].
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Simple(String),
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    Array(usize),
    Map(usize),
    Set(usize),
    Push(usize),
    Double(f64),
    DoubleDigits(String),
    Boolean(bool),
    Verbatim(String, Vec<u8>),
}

/// A whole answer.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    tokens: Vec<Token>,
}

impl Captured {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.tokens.first(), Some(Token::Error(_)))
    }

    /// Writes it.
    pub fn replay(&self, reply: &mut dyn Reply) {
        for token in &self.tokens {
            match token {
                Token::Simple(text) => reply.simple(text),
                Token::Error(text) => reply.error_text(text),
                Token::Int(value) => reply.int(*value),
                Token::Bulk(bytes) => reply.bulk(bytes),
                Token::Null => reply.null(),
                Token::NullArray => reply.null_array(),
                Token::Array(len) => reply.array(*len),
                Token::Map(len) => reply.map(*len),
                Token::Set(len) => reply.set(*len),
                Token::Push(len) => reply.push(*len),
                Token::Double(value) => reply.double(*value),
                Token::DoubleDigits(digits) => reply.double_digits(digits),
                Token::Boolean(value) => reply.boolean(*value),
                Token::Verbatim(format, text) => reply.verbatim(format, text),
            }
        }
    }

    /// One answer from those of all shards, by the published policies. An error wins.
    ///
    /// # Panics
    /// When the policy joins facts or keys, not answers.
    #[must_use]
    pub fn join(policy: ResponsePolicy, mut parts: Vec<Self>) -> Self {
        if let Some(at) = parts.iter().position(Self::is_error) {
            return parts.swap_remove(at);
        }
        match policy {
            ResponsePolicy::AllSucceeded | ResponsePolicy::Whole => parts.swap_remove(0),
            ResponsePolicy::Sum => {
                let value = |part: &Self| match part.tokens.first() {
                    Some(Token::Int(value)) => *value,
                    other => unreachable!("a summed command answers an integer, not {other:?}"),
                };
                Self { tokens: vec![Token::Int(parts.iter().map(value).sum())] }
            }
            ResponsePolicy::Concat => {
                let mut tokens = vec![Token::Array(0)];
                let mut count = 0;
                for part in parts {
                    let mut rest = part.tokens.into_iter();
                    match rest.next() {
                        Some(Token::Array(len)) => count += len,
                        other => unreachable!("a joined command answers an array, not {other:?}"),
                    }
                    tokens.extend(rest);
                }
                tokens[0] = Token::Array(count);
                Self { tokens }
            }
            ResponsePolicy::ByKey | ResponsePolicy::Merge => {
                unreachable!("{policy:?} does not join whole answers")
            }
        }
    }
}

impl Reply for Captured {
    fn simple(&mut self, text: &str) {
        self.tokens.push(Token::Simple(text.to_owned()));
    }

    fn error_text(&mut self, text: &[u8]) {
        self.tokens.push(Token::Error(text.to_vec()));
    }

    fn int(&mut self, value: i64) {
        self.tokens.push(Token::Int(value));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.tokens.push(Token::Bulk(bytes.to_vec()));
    }

    fn null(&mut self) {
        self.tokens.push(Token::Null);
    }

    fn null_array(&mut self) {
        self.tokens.push(Token::NullArray);
    }

    fn array(&mut self, len: usize) {
        self.tokens.push(Token::Array(len));
    }

    fn map(&mut self, len: usize) {
        self.tokens.push(Token::Map(len));
    }

    fn set(&mut self, len: usize) {
        self.tokens.push(Token::Set(len));
    }

    fn push(&mut self, len: usize) {
        self.tokens.push(Token::Push(len));
    }

    fn double(&mut self, value: f64) {
        self.tokens.push(Token::Double(value));
    }

    fn double_digits(&mut self, digits: &str) {
        self.tokens.push(Token::DoubleDigits(digits.to_owned()));
    }

    fn boolean(&mut self, value: bool) {
        self.tokens.push(Token::Boolean(value));
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        self.tokens.push(Token::Verbatim(format.to_owned(), text.to_vec()));
    }

    fn set_proto(&mut self, _: Proto) {}

    fn mark(&self) -> usize {
        self.tokens.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.tokens.truncate(mark);
    }

    fn error_at(&self, mark: usize) -> Option<&[u8]> {
        match self.tokens.get(mark) {
            Some(Token::Error(text)) => Some(text),
            Some(_) | None => None,
        }
    }
}
