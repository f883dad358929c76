//! A large hash: a table of fields, and the order of their deadlines if any has one.

use stoa_stdx::HashSeed;

use super::due::Due;
use crate::copying::other_form;
use crate::table::{self, Length, Shape, Table};

/// An item of a hash: field, length of the value with a bit that says whether a deadline follows, the
/// deadline, the value.
#[derive(Clone, Debug)]
pub(crate) struct Field;

impl Shape for Field {
    fn tail_len(behind_key: &[u8]) -> usize {
        let (length, head) = table::read_len(behind_key);
        head + if length & 1 == 1 { 8 } else { 0 } + (length >> 1)
    }
}

/// An item's value and deadline (0: none).
pub(super) fn read(item: &[u8]) -> (&[u8], u64) {
    let tail = table::tail_of(item);
    let (length, head) = table::read_len(tail);
    let (deadline, at) = if length & 1 == 1 {
        let bytes = tail[head..head + 8].try_into().expect("eight bytes");
        (u64::from_le_bytes(bytes), head + 8)
    } else {
        (0, head)
    };
    (&tail[at..at + (length >> 1)], deadline)
}

#[derive(Clone, Debug)]
pub(super) struct Large {
    pub(super) fields: Table<Field>,
    /// Deadlines with their fields. It doubles what a field with a deadline takes; others pay two words
    /// a hash.
    due: Option<Box<Due>>,
    /// See [`super::Hash::armed`].
    pub(super) armed: u64,
    /// Fields due before this are hidden: see [`super::Hash::see`].
    horizon: u64,
}

impl Large {
    pub(super) fn new(seed: &HashSeed) -> Self {
        Self { fields: Table::new(seed), due: None, armed: u64::MAX, horizon: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.fields.bytes() + self.due.as_ref().map_or(0, |due| due.bytes())
    }

    /// The earliest deadline; `u64::MAX` without any.
    pub(super) fn soonest(&self) -> u64 {
        self.due.as_ref().and_then(|due| due.first()).unwrap_or(u64::MAX)
    }

    /// The earliest deadline that does not lie before `at`.
    pub(super) fn next_from(&self, at: u64) -> Option<u64> {
        self.due.as_ref().and_then(|due| due.next_from(at))
    }

    /// The last deadline, if every field has one.
    pub(super) fn over_from(&self) -> Option<u64> {
        let due = self.due.as_ref().filter(|due| due.len() == self.fields.len())?;
        due.last()
    }

    pub(super) fn see(&mut self, now: u64) {
        if self.due.is_some() {
            self.horizon = now;
        }
    }

    /// Up to where fields are hidden, if any is; else 0.
    pub(super) fn hides_before(&self) -> u64 {
        if self.due.is_some() && self.soonest() < self.horizon { self.horizon } else { 0 }
    }

    /// How many fields are hidden.
    pub(super) fn hidden(&self) -> usize {
        match &self.due {
            Some(due) if self.hides_before() > 0 => due.count_before(self.horizon),
            Some(_) | None => 0,
        }
    }

    /// A field's value and deadline (0: none), unless it is hidden.
    pub(super) fn find(&self, field: &[u8]) -> Option<(&[u8], u64)> {
        let (value, deadline) = read(self.fields.find(field)?);
        (deadline == 0 || deadline >= self.horizon).then_some((value, deadline))
    }

    /// Sets a field with its deadline (0: none); true if it is new, or was hidden.
    pub(super) fn put(&mut self, field: &[u8], value: &[u8], deadline: u64) -> bool {
        let mut was_hidden = false;
        if self.due.is_some() || deadline != 0 {
            let old = self.fields.find(field).map_or(0, |item| read(item).1);
            was_hidden = old != 0 && old < self.horizon;
            self.moved(field, old, deadline);
        }
        let length = Length::of(value.len() << 1 | usize::from(deadline != 0));
        let added = if deadline == 0 {
            self.fields.put(field, &[length.as_bytes(), value])
        } else {
            self.fields.put(field, &[length.as_bytes(), &deadline.to_le_bytes(), value])
        };
        added || was_hidden
    }

    /// Takes a field out. False if it was not there, or hidden.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        if self.due.is_some() {
            let old = self.fields.find(field).map_or(0, |item| read(item).1);
            if old != 0 && old < self.horizon {
                return false;
            }
            self.moved(field, old, 0);
        }
        self.fields.remove(field)
    }

    /// Takes out up to `limit` fields whose deadline lies before `now`, and gives how many, and the last
    /// one's deadline.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> (usize, u64) {
        let Self { fields, due: Some(due), .. } = self else { return (0, 0) };
        let (mut removed, mut last) = (0, 0);
        while removed < limit
            && let Some(deadline) = due.first().filter(|deadline| *deadline < now)
        {
            due.pop_first(|field| {
                fields.remove(field);
            });
            (removed, last) = (removed + 1, deadline);
        }
        self.drop_if_done();
        (removed, last)
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        if let Some(due) = &mut self.due {
            if due.free_some(left) {
                return true;
            }
            self.due = None;
        }
        self.fields.free_some(left)
    }

    /// What [`Large::copy_some`] fills.
    pub(super) fn copy_begin(&self) -> Self {
        let due = self.due.as_ref().map(|due| Box::new(due.copy_begin()));
        let Self { armed, horizon, .. } = *self;
        Self { fields: self.fields.copy_begin(), due, armed, horizon }
    }

    /// Copies about `left` bytes, fields from position `at` on. True when there are more.
    pub(super) fn copy_some(&self, to: &mut Self, at: &mut u64, left: &mut usize) -> bool {
        if self.fields.copy_some(&mut to.fields, at, left) {
            return true;
        }
        match (&self.due, &mut to.due) {
            (Some(from), Some(to)) => from.copy_some(to, left),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => other_form(),
        }
    }

    pub(super) const fn is_light(&self) -> bool {
        self.fields.is_light() && self.due.is_none()
    }

    fn moved(&mut self, field: &[u8], old: u64, new: u64) {
        if old == new {
            return;
        }
        if self.due.is_none() {
            // What was seen long ago hides nothing now.
            self.horizon = 0;
        }
        let due = self.due.get_or_insert_with(|| Box::new(Due::new()));
        if old != 0 {
            due.remove(old, field);
        }
        if new != 0 {
            due.add(new, field);
        }
        self.drop_if_done();
    }

    fn drop_if_done(&mut self) {
        if self.due.as_ref().is_some_and(|due| due.len() == 0) {
            self.due = None;
        }
    }
}
