//! The cursor with which `parse` reads a request, front to back, each argument once.
//!
//! Handlers never index raw arguments: what a parser takes from here is typed, and what is left
//! over is a syntax error by construction.

use crate::{ReplyError, parse_double, parse_int};

/// The arguments of one request and how far they were read. The name (and subcommand) were read
/// by the lookup already.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    argv: &'a [&'a [u8]],
    at: usize,
}

impl<'a> Args<'a> {
    /// A request; reading begins at argument `at` (1, or 2 for subcommands).
    #[must_use]
    pub const fn new(argv: &'a [&'a [u8]], at: usize) -> Self {
        Self { argv, at }
    }

    /// Arguments in all, the name included.
    #[must_use]
    pub const fn argc(&self) -> usize {
        self.argv.len()
    }

    /// Arguments not read yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.argv.len() - self.at
    }

    /// The argument at `index`, read or not (the name is 0). For key specs and error texts.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&'a [u8]> {
        self.argv.get(index).copied()
    }

    /// Where `word` stands (any case), searched from `from` on; negative: from the end backwards.
    #[must_use]
    pub fn position_of(&self, word: &str, from: i32) -> Option<usize> {
        let is = |index: &usize| self.argv[*index].eq_ignore_ascii_case(word.as_bytes());
        if from >= 0 {
            (from as usize..self.argc()).find(is)
        } else {
            (1..=self.argc().saturating_sub(from.unsigned_abs() as usize)).rev().find(is)
        }
    }

    /// The next argument, whatever it is.
    ///
    /// # Errors
    /// [`ReplyError::Syntax`] when none is left. Arity was checked before, so required leading
    /// arguments are there.
    pub fn bytes(&mut self) -> Result<&'a [u8], ReplyError> {
        let bytes = self.argv.get(self.at).copied().ok_or(ReplyError::Syntax)?;
        self.at += 1;
        Ok(bytes)
    }

    /// The next argument without reading it.
    #[must_use]
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.argv.get(self.at).copied()
    }

    /// The next argument as an integer.
    ///
    /// # Errors
    /// [`ReplyError::NotInteger`].
    pub fn int(&mut self) -> Result<i64, ReplyError> {
        parse_int(self.bytes()?).ok_or(ReplyError::NotInteger)
    }

    /// The next argument as an integer within bounds, else the given error.
    ///
    /// # Errors
    /// `error` when it is no integer or out of bounds.
    pub fn int_in(
        &mut self,
        bounds: std::ops::RangeInclusive<i64>,
        error: ReplyError,
    ) -> Result<i64, ReplyError> {
        parse_int(self.bytes()?).filter(|value| bounds.contains(value)).ok_or(error)
    }

    /// The next argument as a finite or infinite double.
    ///
    /// # Errors
    /// [`ReplyError::NotFloat`].
    pub fn double(&mut self) -> Result<f64, ReplyError> {
        parse_double(self.bytes()?).ok_or(ReplyError::NotFloat)
    }

    /// Reads the next argument if it is `word` (any case).
    pub fn word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(found);
        found
    }

    /// Reads one word of `table` (any case) and gives what stands beside it.
    ///
    /// # Errors
    /// [`ReplyError::Syntax`] when the next argument is none of them.
    pub fn choice<T: Copy>(&mut self, table: &[(&str, T)]) -> Result<T, ReplyError> {
        let next = self.bytes()?;
        table
            .iter()
            .find(|(word, _)| next.eq_ignore_ascii_case(word.as_bytes()))
            .map(|(_, value)| *value)
            .ok_or(ReplyError::Syntax)
    }

    /// All that is left, read at once.
    pub fn rest(&mut self) -> &'a [&'a [u8]] {
        let rest = &self.argv[self.at..];
        self.at = self.argv.len();
        rest
    }

    /// Ends parsing.
    ///
    /// # Errors
    /// [`ReplyError::Syntax`] when something is left.
    pub const fn end(&self) -> Result<(), ReplyError> {
        if self.left() == 0 { Ok(()) } else { Err(ReplyError::Syntax) }
    }
}
