//! Lines from a pipe, as bytes.

use std::io::BufRead;

use crate::session::Failure;

/// Reads stdin line by line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// The next line without its end; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        self.line.clear();
        if std::io::stdin().lock().read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(line.to_vec()))
    }
}
