//! The cache of scripts, found by text and by SHA-1.
//!
//! EVAL finds its script by the text itself, which costs one comparison with what is there; the SHA-1
//! is computed once a script, not once a call. Scripts that only EVAL brought make room for others,
//! the oldest first; those that SCRIPT LOAD brought stay. The oldest, not the longest unused: every shard
//! sees new scripts come in the same order, but each sees other ones used, and whether EVALSHA finds
//! a script must not hang on the shard.

use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::Function;

use crate::api::sha1;
use crate::{Flags, Sha};

/// Scripts kept that came by EVAL.
const EVALED_MAX: usize = 500;

/// One script, compiled.
pub(crate) struct Script {
    pub(crate) sha: Sha,
    pub(crate) flags: Flags,
    pub(crate) function: Rc<Function>,
    text: Box<[u8]>,
    /// SCRIPT LOAD brought it.
    stays: bool,
    /// When it came.
    number: u64,
}

/// All scripts of a shard.
#[derive(Default)]
pub(crate) struct Scripts {
    rows: Vec<Option<Script>>,
    free: Vec<usize>,
    by_sha: BTreeMap<Sha, usize>,
    /// The length first: it tells most scripts apart.
    by_text: BTreeMap<(usize, Box<[u8]>), usize>,
    /// The row that was used last.
    last: usize,
    /// Of the last that came.
    number: u64,
    evaled: usize,
}

impl Scripts {
    pub(crate) const fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Bytes of all texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.rows.iter().flatten().map(|script| script.text.len()).sum()
    }

    #[inline]
    pub(crate) fn by_text(&mut self, text: &[u8]) -> Option<usize> {
        let same = |script: &Script| *script.text == *text;
        if self.rows.get(self.last).and_then(Option::as_ref).is_some_and(same) {
            return Some(self.last);
        }
        let row = *self.by_text.get(&(text.len(), Box::from(text)))?;
        self.last = row;
        Some(row)
    }

    pub(crate) fn by_sha(&self, sha: &Sha) -> Option<usize> {
        self.by_sha.get(sha).copied()
    }

    pub(crate) fn at(&self, row: usize) -> &Script {
        self.rows[row].as_ref().expect("a row that was just found")
    }

    /// SCRIPT LOAD brought what was there already.
    pub(crate) fn keep(&mut self, row: usize) {
        let script = self.rows[row].as_mut().expect("a row that was just found");
        self.evaled -= usize::from(!script.stays);
        script.stays = true;
    }

    pub(crate) fn text(&self, row: usize) -> &[u8] {
        &self.rows[row].as_ref().expect("a row that was just found").text
    }

    pub(crate) fn add(
        &mut self,
        text: &[u8],
        flags: Flags,
        function: Function,
        stays: bool,
    ) -> usize {
        if !stays {
            if self.evaled == EVALED_MAX {
                self.evict();
            }
            self.evaled += 1;
        }
        self.number += 1;
        let script = Script {
            sha: Sha(sha1(text)),
            flags,
            function: Rc::new(function),
            text: text.into(),
            stays,
            number: self.number,
        };
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            self.rows.len() - 1
        });
        self.by_sha.insert(script.sha, row);
        self.by_text.insert((text.len(), text.into()), row);
        self.rows[row] = Some(script);
        row
    }

    fn evict(&mut self) {
        let evaled = self.rows.iter().enumerate().filter_map(|(row, script)| {
            script.as_ref().filter(|script| !script.stays).map(|script| (script.number, row))
        });
        let Some((_, row)) = evaled.min() else { return };
        let script = self.rows[row].take().expect("it was looked at just now");
        self.by_sha.remove(&script.sha);
        self.by_text.remove(&(script.text.len(), script.text));
        self.free.push(row);
        self.evaled -= 1;
    }
}
