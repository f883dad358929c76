//! Walking all keys without holding them all: SCAN as an iterator.

use std::collections::VecDeque;

use crate::{Error, Session};

/// An iterator over keys, from [`Session::scan`]. A key that is there from beginning to end comes
/// at least once; one that comes or goes meanwhile may come or not.
#[derive(Debug)]
#[must_use = "keys are looked at when the iterator is asked for them"]
pub struct Scan<'a> {
    session: &'a Session,
    pattern: Option<Vec<u8>>,
    kind: Option<String>,
    count: u32,
    cursor: Option<Vec<u8>>,
    found: VecDeque<Vec<u8>>,
}

/// Keys looked at in one call: few enough that others need not wait, enough to make calls rare.
const COUNT: u32 = 100;

impl<'a> Scan<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self {
            session,
            pattern: None,
            kind: None,
            count: COUNT,
            cursor: Some(b"0".to_vec()),
            found: VecDeque::new(),
        }
    }

    /// Only keys that match this glob.
    pub fn matching(mut self, pattern: &[u8]) -> Self {
        self.pattern = Some(pattern.to_vec());
        self
    }

    /// Only keys whose value is of this type (`string`, `list`, ...).
    pub fn of_type(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// About how many keys are looked at in one step.
    pub fn step(mut self, count: u32) -> Self {
        self.count = count.max(1);
        self
    }

    fn fetch(&mut self, cursor: &[u8]) -> Result<(), Error> {
        let count = self.count.to_string();
        let mut argv: Vec<&[u8]> = vec![b"SCAN", cursor, b"COUNT", count.as_bytes()];
        if let Some(pattern) = &self.pattern {
            argv.extend([b"MATCH".as_slice(), pattern]);
        }
        if let Some(kind) = &self.kind {
            argv.extend([b"TYPE".as_slice(), kind.as_bytes()]);
        }
        let mut reply = self.session.execute(&argv)?.array()?.into_iter();
        let (Some(next), Some(keys)) = (reply.next(), reply.next()) else {
            return Ok(());
        };
        let next = next.bytes()?;
        for key in keys.array()? {
            self.found.push_back(key.bytes()?);
        }
        self.cursor = (next != b"0").then_some(next);
        Ok(())
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.found.is_empty() {
            let cursor = self.cursor.take()?;
            if let Err(error) = self.fetch(&cursor) {
                return Some(Err(error));
            }
        }
        self.found.pop_front().map(Ok)
    }
}
