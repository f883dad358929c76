//! A packed hash some of whose fields have deadlines: field, value, deadline, one behind the other.
//!
//! It is a second form of its own (`listpackex`), so that hashes without deadlines pay nothing. Fields
//! stand in the order of their deadlines, those without any (0) at the end: what is due is at the
//! beginning. The last one is looked at often, so this is a buffer that can be walked backwards.

use crate::packed::Place;
use crate::{Forward, Packed, Str};

/// Elements a field takes.
pub(super) const STRIDE: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Expiring {
    pub(super) packed: Packed,
    /// See [`super::Hash::armed`].
    pub(super) armed: u64,
    /// Fields due before this are hidden: see [`super::Hash::see`].
    pub(super) horizon: u64,
}

impl Expiring {
    /// The same fields, none with a deadline yet.
    pub(super) fn of(plain: &Forward) -> Self {
        let mut packed = Packed::new();
        for (n, text) in plain.iter().enumerate() {
            packed.push_str(text);
            if n % 2 == 1 {
                packed.push_str(Str::Int(0));
            }
        }
        Self { packed, armed: u64::MAX, horizon: 0 }
    }

    /// The earliest deadline; `u64::MAX` without any.
    pub(super) fn soonest(&self) -> u64 {
        let first = self.packed.first().map_or(0, |field| self.deadline(field));
        if first == 0 { u64::MAX } else { first }
    }

    pub(super) fn len(&self) -> usize {
        self.packed.len() / STRIDE
    }

    /// How many fields are due before `at`: they stand at the beginning.
    pub(super) fn due_before(&self, at: u64) -> usize {
        self.deadlines().take_while(|deadline| *deadline != 0 && *deadline < at).count()
    }

    /// The earliest deadline that does not lie before `at`.
    pub(super) fn next_from(&self, at: u64) -> Option<u64> {
        self.deadlines().find(|deadline| *deadline == 0 || *deadline >= at).filter(|at| *at != 0)
    }

    /// The last deadline, if every field has one.
    pub(super) fn over_from(&self) -> Option<u64> {
        let last = deadline_of(self.packed.get(self.packed.last()?));
        (last != 0).then_some(last)
    }

    fn deadlines(&self) -> impl Iterator<Item = u64> + '_ {
        self.packed.iter().skip(STRIDE - 1).step_by(STRIDE).map(deadline_of)
    }

    /// A field, hidden or not.
    pub(super) fn find_any(&self, field: &[u8]) -> Option<Place> {
        self.packed.find(field, STRIDE)
    }

    pub(super) fn find(&self, field: &[u8]) -> Option<Place> {
        self.find_any(field).filter(|place| !self.is_hidden(*place))
    }

    pub(super) fn is_hidden(&self, field: Place) -> bool {
        let deadline = self.deadline(field);
        deadline != 0 && deadline < self.horizon
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

    /// Moves the field to the place of its new deadline.
    pub(super) fn set_deadline(&mut self, field: Place, deadline: u64) {
        let name = self.packed.get(field).to_vec();
        let value = self.packed.get(self.value_place(field)).to_vec();
        self.packed.remove(field, STRIDE);
        let Some(behind) = self.first_after(deadline) else {
            self.push_with(&name, &value, deadline);
            return;
        };
        // Each goes before the one put in before it.
        let mut digits = itoa::Buffer::new();
        self.packed.insert(behind, digits.format(deadline).as_bytes());
        self.packed.insert(behind, &value);
        self.packed.insert(behind, &name);
    }

    /// The first field that is due after `deadline` or never; none if that is at the end anyway.
    fn first_after(&self, deadline: u64) -> Option<Place> {
        if deadline == 0 {
            return None;
        }
        let mut at = self.packed.first();
        while let Some(field) = at {
            let other = self.deadline(field);
            if other == 0 || other > deadline {
                return Some(field);
            }
            at = self.packed.next(self.deadline_place(field));
        }
        None
    }

    /// Adds a field that is not there.
    pub(super) fn push(&mut self, field: &[u8], value: &[u8]) {
        self.push_with(field, value, 0);
    }

    fn push_with(&mut self, field: &[u8], value: &[u8], deadline: u64) {
        self.packed.push_back(field);
        self.packed.push_back(value);
        self.packed.push_str(Str::Int(deadline as i64));
    }

    pub(super) fn remove(&mut self, field: Place) {
        self.packed.remove(field, STRIDE);
    }

    /// Takes out the fields whose deadline lies before `now`, and gives how many, and the last one's
    /// deadline.
    pub(super) fn expire(&mut self, now: u64) -> (usize, u64) {
        let count = self.due_before(now);
        let last = self.deadlines().take(count).last().unwrap_or(0);
        if let Some(first) = self.packed.first().filter(|_| count > 0) {
            self.packed.remove(first, count * STRIDE);
        }
        (count, last)
    }
}

fn deadline_of(text: Str<'_>) -> u64 {
    match text {
        Str::Int(deadline) => deadline as u64,
        Str::Bytes(_) => unreachable!("a deadline is a number"),
    }
}
