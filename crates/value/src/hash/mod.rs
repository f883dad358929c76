//! Hashes: fields with values, and deadlines of fields.
//!
//! A small hash of short fields and values is a packed buffer of pairs, with deadlines one of triples
//! (`listpackex`); any other is a table, and stays one. A field is gone when its deadline lies before
//! now, as a key is. Nothing here looks at a clock: whoever opens a hash says the time ([`Hash::see`]),
//! and what was due before is hidden from all that is asked then, in no time. It is taken out by
//! [`Hash::expire`], in portions.

mod due;
mod expiring;
mod large;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use expiring::Expiring;
use large::Large;
use stoa_stdx::{Rng, UnixMs};

use crate::copying::other_form;
use crate::packed::{self, BYTES_MAX};
use crate::table;
use crate::{Forward, Packed, Rules, Str};

/// A hash.
#[derive(Clone, Debug)]
pub struct Hash(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Forward),
    Expiring(Box<Expiring>),
    Table(Box<Large>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Repr::Packed(Forward::new()))
    }
}

impl Hash {
    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len() / 2,
            Repr::Expiring(expiring) => expiring.len() - expiring.due_before(expiring.horizon),
            Repr::Table(large) => large.fields.len() - large.hidden(),
        }
    }

    /// How many fields there are, hidden ones included.
    #[must_use]
    pub fn len_with_hidden(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len() / 2,
            Repr::Expiring(expiring) => expiring.len(),
            Repr::Table(large) => large.fields.len(),
        }
    }

    /// From here on fields whose deadline lies before `now` are hidden, and no others.
    pub fn see(&mut self, now: UnixMs) {
        match &mut self.0 {
            Repr::Packed(_) => {}
            Repr::Expiring(expiring) => expiring.horizon = now.0,
            Repr::Table(large) => large.see(now.0),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Expiring(_) => "listpackex",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.capacity(),
            Repr::Expiring(expiring) => size_of::<Expiring>() + expiring.packed.capacity(),
            Repr::Table(large) => large.bytes(),
        }
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub fn free_some(&mut self, left: &mut usize) -> bool {
        match &mut self.0 {
            Repr::Packed(_) | Repr::Expiring(_) => {
                *left = left.saturating_sub(1);
                false
            }
            Repr::Table(large) => large.free_some(left),
        }
    }

    /// What [`Self::copy_some`] fills; a small one is copied at once.
    pub(crate) fn copy_begin(&self) -> Self {
        Self(match &self.0 {
            Repr::Table(large) => Repr::Table(Box::new(large.copy_begin())),
            small => small.clone(),
        })
    }

    /// Copies about `left` bytes, from where the copy is. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, at: &mut u64, left: &mut usize) -> bool {
        match (&self.0, &mut to.0) {
            (Repr::Table(from), Repr::Table(to)) => from.copy_some(to, at, left),
            (Repr::Table(_), _) | (_, Repr::Table(_)) => other_form(),
            (Repr::Packed(_) | Repr::Expiring(_), Repr::Packed(_) | Repr::Expiring(_)) => false,
        }
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub const fn is_light(&self) -> bool {
        match &self.0 {
            Repr::Packed(_) | Repr::Expiring(_) => true,
            Repr::Table(large) => large.is_light(),
        }
    }

    /// A small hash as one listpack: fields and values, or with [`Hash::encoding`] `listpackex` their
    /// deadlines, too (0: none).
    #[must_use]
    pub fn to_packed(&self) -> Option<Cow<'_, Packed>> {
        match &self.0 {
            Repr::Packed(packed) => Some(Cow::Owned(packed.to_packed())),
            Repr::Expiring(expiring) => Some(Cow::Borrowed(&expiring.packed)),
            Repr::Table(_) => None,
        }
    }

    /// The value of `field`.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<Str<'_>> {
        match &self.0 {
            Repr::Packed(packed) => {
                let place = packed.find(field, 2)?;
                packed.next(place).map(|value| packed.get(value))
            }
            Repr::Expiring(expiring) => {
                let place = expiring.find(field)?;
                Some(expiring.packed.get(expiring.value_place(place)))
            }
            Repr::Table(large) => large.find(field).map(|(value, _)| Str::Bytes(value)),
        }
    }

    /// Whether `field` is in it.
    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        match &self.0 {
            Repr::Packed(packed) => packed.find(field, 2).is_some(),
            Repr::Expiring(expiring) => expiring.find(field).is_some(),
            Repr::Table(large) => large.find(field).is_some(),
        }
    }

    /// Makes ready for `texts`, fields and values: they may be too many or too long for a small form
    /// from the start.
    pub fn expect(&mut self, texts: &[&[u8]], rules: &Rules) {
        let limits = &rules.limits;
        let total: usize = texts.iter().map(|text| text.len()).sum();
        if texts.len() / 2 > limits.hash_max_entries
            || texts.iter().any(|text| text.len() > limits.hash_max_value)
            || self.packed_len() + total > BYTES_MAX
        {
            self.become_table(rules);
        }
    }

    /// Sets `field` and takes its deadline away; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], rules: &Rules) -> bool {
        self.store(field, value, false, rules)
    }

    /// Sets `field`, whose deadline stays; true if it is new.
    pub fn set_keeping_deadline(&mut self, field: &[u8], value: &[u8], rules: &Rules) -> bool {
        self.store(field, value, true, rules)
    }

    fn store(&mut self, field: &[u8], value: &[u8], keep: bool, rules: &Rules) -> bool {
        let limits = &rules.limits;
        let len_max = limits.hash_max_value;
        if field.len() > len_max
            || value.len() > len_max
            || self.packed_len() + field.len() + value.len() > BYTES_MAX
        {
            self.become_table(rules);
        }
        let (added, len) = match &mut self.0 {
            Repr::Packed(packed) => (put_pair(packed, field, value), packed.len() / 2),
            Repr::Expiring(expiring) => {
                let mut is_new = true;
                if let Some(place) = expiring.find_any(field) {
                    is_new = expiring.is_hidden(place);
                    let at = expiring.value_place(place);
                    expiring.packed.replace(at, value);
                    if (!keep || is_new) && expiring.deadline(place) != 0 {
                        expiring.set_deadline(place, 0);
                    }
                } else {
                    expiring.push(field, value);
                }
                (is_new, expiring.len())
            }
            Repr::Table(large) => {
                let kept = keep.then(|| large.find(field).map(|(_, deadline)| deadline));
                return large.put(field, value, kept.flatten().unwrap_or(0));
            }
        };
        if added && len > limits.hash_max_entries {
            self.become_table(rules);
        }
        added
    }

    /// Takes `field` out. False if it was not there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let found = packed.find(field, 2);
                if let Some(place) = found {
                    packed.remove(place, 2);
                }
                found.is_some()
            }
            Repr::Expiring(expiring) => {
                let found = expiring.find(field);
                if let Some(place) = found {
                    expiring.remove(place);
                }
                found.is_some()
            }
            Repr::Table(large) => large.remove(field),
        }
    }

    /// The deadline of `field`, if it has one; None if it is not there.
    #[must_use]
    pub fn deadline(&self, field: &[u8]) -> Option<Option<UnixMs>> {
        let deadline = match &self.0 {
            Repr::Packed(packed) => packed.find(field, 2).map(|_| 0),
            Repr::Expiring(expiring) => expiring.find(field).map(|at| expiring.deadline(at)),
            Repr::Table(large) => large.find(field).map(|(_, deadline)| deadline),
        };
        deadline.map(some_deadline)
    }

    /// Makes ready for deadlines: a packed hash takes the form that has room for them, as the reference
    /// does whether or not one is set then.
    pub fn expect_deadlines(&mut self) {
        if let Repr::Packed(packed) = &self.0 {
            self.0 = Repr::Expiring(Box::new(Expiring::of(packed)));
        }
    }

    /// Sets or takes away the deadline of `field`. False if the field is not there.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<UnixMs>) -> bool {
        let deadline = deadline.map_or(0, |at| at.0);
        if let Repr::Packed(packed) = &self.0 {
            if packed.find(field, 2).is_none() {
                return false;
            }
            if deadline == 0 {
                return true;
            }
            self.expect_deadlines();
        }
        match &mut self.0 {
            Repr::Packed(_) => unreachable!("turned above"),
            Repr::Expiring(expiring) => {
                let found = expiring.find(field);
                if let Some(place) = found {
                    expiring.set_deadline(place, deadline);
                }
                found.is_some()
            }
            Repr::Table(large) => {
                let Some(value) = large.find(field).map(|(value, _)| value.to_vec()) else {
                    return false;
                };
                large.put(field, &value, deadline);
                true
            }
        }
    }

    /// The earliest deadline that does not lie before `at`.
    #[must_use]
    pub fn next_deadline_from(&self, at: UnixMs) -> Option<UnixMs> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Expiring(expiring) => expiring.next_from(at.0).map(UnixMs),
            Repr::Table(large) => large.next_from(at.0).map(UnixMs),
        }
    }

    /// When a field is due next; in the past while some that are due were not taken out.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixMs> {
        let soonest = match &self.0 {
            Repr::Packed(_) => return None,
            Repr::Expiring(expiring) => expiring.soonest(),
            Repr::Table(large) => large.soonest(),
        };
        (soonest != u64::MAX).then_some(UnixMs(soonest))
    }

    /// The deadline at which its keeper will look at it again, if it said one.
    #[must_use]
    pub fn armed(&self) -> Option<UnixMs> {
        let armed = match &self.0 {
            Repr::Packed(_) => return None,
            Repr::Expiring(expiring) => expiring.armed,
            Repr::Table(large) => large.armed,
        };
        (armed != u64::MAX).then_some(UnixMs(armed))
    }

    /// Remembers when its keeper will look at it again. A hash without deadlines remembers nothing.
    pub fn set_armed(&mut self, armed: Option<UnixMs>) {
        let armed = armed.map_or(u64::MAX, |at| at.0);
        match &mut self.0 {
            Repr::Packed(_) => {}
            Repr::Expiring(expiring) => expiring.armed = armed,
            Repr::Table(large) => large.armed = armed,
        }
    }

    /// Takes out fields whose deadline lies before `now`, at most `limit` of a large hash; gives how
    /// many, and the deadline of the last.
    pub fn expire(&mut self, now: UnixMs, limit: usize) -> (usize, UnixMs) {
        if self.next_deadline().is_none_or(|next| next >= now) {
            return (0, UnixMs(0));
        }
        let (removed, last) = match &mut self.0 {
            Repr::Packed(_) => (0, 0),
            Repr::Expiring(expiring) => expiring.expire(now.0),
            Repr::Table(large) => large.expire(now.0, limit),
        };
        (removed, UnixMs(last))
    }

    /// Whether every field's deadline lies before `now`.
    #[must_use]
    pub fn is_over(&self, now: UnixMs) -> bool {
        self.over_from().is_some_and(|last| last < now)
    }

    /// The last deadline, if every field has one: after it nothing is there.
    #[must_use]
    pub fn over_from(&self) -> Option<UnixMs> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Expiring(expiring) => expiring.over_from().map(UnixMs),
            Repr::Table(large) => large.over_from().map(UnixMs),
        }
    }

    /// All fields with their values and deadlines, in the order they are kept in.
    #[must_use]
    pub fn iter(&self) -> Fields<'_> {
        let (walk, hides_before) = match &self.0 {
            Repr::Packed(packed) => (Walk::Pairs(packed.iter()), 0),
            Repr::Expiring(expiring) => (Walk::Triples(expiring.packed.iter()), expiring.horizon),
            Repr::Table(large) => (Walk::Table(large.fields.iter()), large.hides_before()),
        };
        Fields { walk, hides_before: UnixMs(hides_before) }
    }

    /// Some field with its value, each as likely as any other.
    #[must_use]
    pub fn random(&self, rng: &mut Rng) -> Option<(Str<'_>, Str<'_>)> {
        match &self.0 {
            Repr::Table(large) => {
                let hides_before = large.hides_before();
                // Nearly all may be hidden: then they are walked past.
                for _ in 0..DRAWS_MAX {
                    let item = large.fields.random(rng)?;
                    if !is_hidden(large::read(item).1, hides_before) {
                        return Some(of_item(item));
                    }
                }
                self.nth(rng.below(self.len().max(1) as u64) as usize)
            }
            Repr::Packed(_) | Repr::Expiring(_) => self.nth(rng.below(self.len() as u64) as usize),
        }
    }

    /// Field `n` with its value, in the order they are kept in.
    #[must_use]
    pub fn nth(&self, n: usize) -> Option<(Str<'_>, Str<'_>)> {
        match &self.0 {
            Repr::Packed(packed) => {
                let field = packed.seek(n * 2)?;
                Some((packed.get(field), packed.get(packed.next(field)?)))
            }
            Repr::Expiring(expiring) => {
                let packed = &expiring.packed;
                // Hidden ones stand at the beginning.
                let n = n + expiring.due_before(expiring.horizon);
                let field = packed.seek(n * expiring::STRIDE)?;
                Some((packed.get(field), packed.get(packed.next(field)?)))
            }
            Repr::Table(large) if large.hides_before() == 0 => large.fields.nth(n).map(of_item),
            Repr::Table(_) => self.iter().nth(n).map(|(field, value, _)| (field, value)),
        }
    }

    /// Calls `each` with fields and values from `cursor` on until it has had `limit`; gives the cursor
    /// to go on from. What is there from the first call to the last is handed over.
    pub fn scan(
        &self,
        cursor: u32,
        limit: usize,
        each: &mut dyn FnMut(Str<'_>, Str<'_>),
    ) -> Option<u32> {
        if let Repr::Table(large) = &self.0 {
            let hides_before = large.hides_before();
            return large.fields.scan(cursor, limit, &mut |item| {
                let (field, value) = of_item(item);
                if !is_hidden(large::read(item).1, hides_before) {
                    each(field, value);
                }
            });
        }
        self.iter().for_each(|(field, value, _)| each(field, value));
        None
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        let held = |field: Str<'_>| {
            let value = field.with(|field| other.get(field).map(|value| value.to_vec()));
            (value, field.with(|field| other.deadline(field).flatten()))
        };
        self.len() == other.len()
            && self.iter().all(|(field, value, at)| held(field) == (Some(value.to_vec()), at))
    }

    /// Bytes of the small form, 0 of the large.
    fn packed_len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.as_bytes().len(),
            Repr::Expiring(expiring) => expiring.packed.as_bytes().len(),
            Repr::Table(_) => 0,
        }
    }

    fn become_table(&mut self, rules: &Rules) {
        if matches!(self.0, Repr::Table(_)) {
            return;
        }
        let mut large = Box::new(Large::new(&rules.seed));
        large.armed = self.armed().map_or(u64::MAX, |at| at.0);
        let horizon = match &self.0 {
            Repr::Expiring(expiring) => expiring.horizon,
            Repr::Packed(_) | Repr::Table(_) => 0,
        };
        // What is due is not lost on the way: it is to be reclaimed, and said.
        self.see(UnixMs(0));
        for (field, value, deadline) in self.iter() {
            let deadline = deadline.map_or(0, |at| at.0);
            field.with(|field| value.with(|value| large.put(field, value, deadline)));
        }
        large.see(horizon);
        self.0 = Repr::Table(large);
    }
}

/// Fields drawn by chance before hidden ones are walked past.
const DRAWS_MAX: usize = 64;

const fn is_hidden(deadline: u64, hides_before: u64) -> bool {
    deadline != 0 && deadline < hides_before
}

fn put_pair(packed: &mut Forward, field: &[u8], value: &[u8]) -> bool {
    if let Some(place) = packed.find(field, 2) {
        let at = packed.next(place).expect("a value follows its field");
        packed.replace(at, value);
        return false;
    }
    packed.push_back(field);
    packed.push_back(value);
    true
}

fn of_item(item: &[u8]) -> (Str<'_>, Str<'_>) {
    (Str::Bytes(table::key_of(item)), Str::Bytes(large::read(item).0))
}

const fn some_deadline(deadline: u64) -> Option<UnixMs> {
    if deadline == 0 { None } else { Some(UnixMs(deadline)) }
}

/// All fields of a hash.
#[derive(Clone)]
pub struct Fields<'a> {
    walk: Walk<'a>,
    hides_before: UnixMs,
}

#[derive(Clone)]
enum Walk<'a> {
    Pairs(packed::Iter<'a, false>),
    Triples(packed::Iter<'a>),
    Table(table::Items<'a, large::Field>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Str<'a>, Str<'a>, Option<UnixMs>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let field = self.walk.next()?;
            if field.2.is_none_or(|deadline| deadline >= self.hides_before) {
                return Some(field);
            }
        }
    }
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Option<(Str<'a>, Str<'a>, Option<UnixMs>)> {
        match self {
            Walk::Pairs(texts) => Some((texts.next()?, texts.next()?, None)),
            Walk::Triples(texts) => {
                let (field, value) = (texts.next()?, texts.next()?);
                match texts.next()? {
                    Str::Int(deadline) => Some((field, value, some_deadline(deadline as u64))),
                    Str::Bytes(_) => unreachable!("a deadline is a number"),
                }
            }
            Walk::Table(items) => {
                let item = items.next()?;
                let (value, deadline) = large::read(item);
                Some((Str::Bytes(table::key_of(item)), Str::Bytes(value), some_deadline(deadline)))
            }
        }
    }
}
