//! A large hash: a table of fields, and the order of their deadlines if any has one.

use std::collections::BTreeSet;

use stoa_stdx::HashSeed;

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

/// Deadlines in order, each with its field.
type Due = BTreeSet<(u64, Box<[u8]>)>;

#[derive(Clone, Debug)]
pub(super) struct Large {
    pub(super) fields: Table<Field>,
    /// Deadlines with their fields. It doubles what a field with a deadline takes; others pay a word
    /// a hash.
    due: Option<Box<Due>>,
    /// See [`super::Hash::armed`].
    pub(super) armed: u64,
}

impl Large {
    pub(super) fn new(seed: &HashSeed) -> Self {
        Self { fields: Table::new(seed), due: None, armed: u64::MAX }
    }

    pub(super) fn bytes(&self) -> usize {
        let due = self.due.as_ref().map_or(0, |due| {
            due.iter().map(|(_, field)| field.len() + size_of::<(u64, Box<[u8]>)>()).sum()
        });
        self.fields.bytes() + due
    }

    /// The earliest deadline; `u64::MAX` without any.
    pub(super) fn soonest(&self) -> u64 {
        let first = self.due.as_ref().and_then(|due| due.first());
        first.map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    /// Sets a field with its deadline (0: none); true if it is new.
    pub(super) fn put(&mut self, field: &[u8], value: &[u8], deadline: u64) -> bool {
        if self.due.is_some() {
            let old = self.fields.find(field).map_or(0, |item| read(item).1);
            self.moved(field, old, deadline);
        } else if deadline != 0 {
            self.moved(field, 0, deadline);
        }
        let length = Length::of(value.len() << 1 | usize::from(deadline != 0));
        if deadline == 0 {
            self.fields.put(field, &[length.as_bytes(), value])
        } else {
            self.fields.put(field, &[length.as_bytes(), &deadline.to_le_bytes(), value])
        }
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        if self.due.is_some() {
            let old = self.fields.find(field).map_or(0, |item| read(item).1);
            self.moved(field, old, 0);
        }
        self.fields.remove(field)
    }

    /// Takes out up to `limit` fields whose deadline lies before `now`, and gives how many.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> usize {
        let Some(due) = &mut self.due else { return 0 };
        let mut removed = 0;
        while removed < limit && due.first().is_some_and(|(deadline, _)| *deadline < now) {
            if let Some((_, field)) = due.pop_first() {
                self.fields.remove(&field);
                removed += 1;
            }
        }
        if due.is_empty() {
            self.due = None;
        }
        removed
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        if let Some(due) = &mut self.due {
            while *left > 0 && due.pop_first().is_some() {
                *left -= 1;
            }
            if !due.is_empty() {
                return true;
            }
            self.due = None;
        }
        self.fields.free_some(left)
    }

    pub(super) const fn is_light(&self) -> bool {
        self.fields.is_light() && self.due.is_none()
    }

    fn moved(&mut self, field: &[u8], old: u64, new: u64) {
        if old == new {
            return;
        }
        let due = self.due.get_or_insert_default();
        if old != 0 {
            due.remove(&(old, field.into()));
        }
        if new != 0 {
            due.insert((new, field.into()));
        }
        if due.is_empty() {
            self.due = None;
        }
    }
}
