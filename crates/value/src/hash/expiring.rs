//! A packed hash some of whose fields have deadlines: field, value, deadline, one behind the other.
//!
//! It is a second form of its own (`listpackex`), so that hashes without deadlines pay nothing. A
//! deadline of 0 is none.

use crate::packed::Place;
use crate::{Packed, Str};

/// Elements a field takes.
pub(super) const STRIDE: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Expiring {
    pub(super) packed: Packed,
    /// The earliest deadline; `u64::MAX` without any.
    soonest: u64,
    /// See [`super::Hash::armed`].
    pub(super) armed: u64,
}

impl Expiring {
    /// The same fields, none with a deadline yet.
    pub(super) fn of(plain: &Packed) -> Self {
        let mut packed = Packed::new();
        for (n, text) in plain.iter().enumerate() {
            packed.push_str(text);
            if n % 2 == 1 {
                packed.push_str(Str::Int(0));
            }
        }
        Self { packed, soonest: u64::MAX, armed: u64::MAX }
    }

    pub(super) const fn soonest(&self) -> u64 {
        self.soonest
    }

    pub(super) fn len(&self) -> usize {
        self.packed.len() / STRIDE
    }

    pub(super) fn find(&self, field: &[u8]) -> Option<Place> {
        self.packed.find(field, STRIDE)
    }

    pub(super) fn value_place(&self, field: Place) -> Place {
        self.packed.next(field).expect("a value follows its field")
    }

    fn deadline_place(&self, field: Place) -> Place {
        self.packed.next(self.value_place(field)).expect("a deadline follows its value")
    }

    /// The deadline of the field at `place`; 0 is none.
    pub(super) fn deadline(&self, field: Place) -> u64 {
        deadline_of(self.packed.get(self.deadline_place(field)))
    }

    pub(super) fn set_deadline(&mut self, field: Place, deadline: u64) {
        let old = self.deadline(field);
        if old != deadline {
            let place = self.deadline_place(field);
            self.packed.replace(place, itoa::Buffer::new().format(deadline).as_bytes());
            self.moved(old, deadline);
        }
    }

    /// Adds a field that is not there.
    pub(super) fn push(&mut self, field: &[u8], value: &[u8]) {
        self.packed.push_back(field);
        self.packed.push_back(value);
        self.packed.push_str(Str::Int(0));
    }

    pub(super) fn remove(&mut self, field: Place) {
        let old = self.deadline(field);
        self.packed.remove(field, STRIDE);
        self.moved(old, 0);
    }

    /// Takes out the fields that are due before `now`, and gives how many.
    pub(super) fn expire(&mut self, now: u64) -> usize {
        let mut removed = 0;
        let mut at = self.packed.first();
        while let Some(field) = at {
            let deadline = self.deadline(field);
            if deadline != 0 && deadline < now {
                self.packed.remove(field, STRIDE);
                removed += 1;
                at = self.packed.at(field);
            } else {
                at = self.packed.next(self.deadline_place(field));
            }
        }
        self.look_for_soonest();
        removed
    }

    /// Fields with value and deadline.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Str<'_>, Str<'_>, u64)> {
        let mut texts = self.packed.iter();
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?, deadline_of(texts.next()?))))
    }

    fn moved(&mut self, old: u64, new: u64) {
        if new != 0 && new <= self.soonest {
            self.soonest = new;
        } else if old == self.soonest {
            self.look_for_soonest();
        }
    }

    fn look_for_soonest(&mut self) {
        let deadlines = self.iter().map(|(_, _, deadline)| deadline).filter(|at| *at != 0);
        let soonest = deadlines.min().unwrap_or(u64::MAX);
        self.soonest = soonest;
    }
}

fn deadline_of(text: Str<'_>) -> u64 {
    match text {
        Str::Int(deadline) => deadline as u64,
        Str::Bytes(_) => unreachable!("a deadline is a number"),
    }
}
