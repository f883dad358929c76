//! Sets: sorted integers, a packed buffer, or a table.
//!
//! A set of integers only stays an array of them up to `set-max-intset-entries`; a small set of short
//! members is a packed buffer; any other is a table, and stays one. Scans of the small forms return
//! all at once.

use stoa_stdx::{Rng, parse_int};

use crate::copying::other_form;
use crate::intset::IntSet;
use crate::packed::{self, BYTES_MAX};
use crate::table::{self, Shape, Table};
use crate::{Forward, Packed, Rules, Str};

/// A set.
#[derive(Clone, Debug)]
pub struct Set(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Ints(IntSet),
    Packed(Forward),
    Table(Box<Table<Member>>),
}

/// An item of a set is its key alone.
#[derive(Clone, Debug)]
pub(crate) struct Member;

impl Shape for Member {
    fn tail_len(_: &[u8]) -> usize {
        0
    }
}

impl Default for Set {
    fn default() -> Self {
        Self(Repr::Ints(IntSet::default()))
    }
}

impl Set {
    /// An empty set that is packed, whatever comes: results that are put together begin so.
    #[must_use]
    pub fn packed() -> Self {
        Self(Repr::Packed(Forward::new()))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.len(),
            Repr::Packed(packed) => packed.len(),
            Repr::Table(table) => table.len(),
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
            Repr::Ints(_) => "intset",
            Repr::Packed(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.capacity(),
            Repr::Packed(packed) => packed.capacity(),
            Repr::Table(table) => table.bytes(),
        }
    }

    /// Frees about `left` blocks, and takes them off it. True when there are more.
    pub fn free_some(&mut self, left: &mut usize) -> bool {
        match &mut self.0 {
            Repr::Ints(_) | Repr::Packed(_) => {
                *left = left.saturating_sub(1);
                false
            }
            Repr::Table(table) => table.free_some(left),
        }
    }

    /// What [`Self::copy_some`] fills; a small one is copied at once.
    pub(crate) fn copy_begin(&self) -> Self {
        Self(match &self.0 {
            Repr::Table(table) => Repr::Table(Box::new(table.copy_begin())),
            small => small.clone(),
        })
    }

    /// Copies about `left` bytes, from where the copy is. True when there are more.
    pub(crate) fn copy_some(&self, to: &mut Self, at: &mut u64, left: &mut usize) -> bool {
        match (&self.0, &mut to.0) {
            (Repr::Table(from), Repr::Table(to)) => from.copy_some(to, at, left),
            (Repr::Table(_), _) | (_, Repr::Table(_)) => other_form(),
            (Repr::Ints(_) | Repr::Packed(_), Repr::Ints(_) | Repr::Packed(_)) => false,
        }
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub const fn is_light(&self) -> bool {
        match &self.0 {
            Repr::Ints(_) | Repr::Packed(_) => true,
            Repr::Table(table) => table.is_light(),
        }
    }

    /// A set that is packed as one listpack.
    #[must_use]
    pub fn to_packed(&self) -> Option<Packed> {
        match &self.0 {
            Repr::Packed(packed) => Some(packed.to_packed()),
            Repr::Ints(_) | Repr::Table(_) => None,
        }
    }

    /// Bytes of an integer, if the set is an array of them.
    #[must_use]
    pub fn int_width(&self) -> Option<usize> {
        match &self.0 {
            Repr::Ints(ints) => Some(ints.width()),
            Repr::Packed(_) | Repr::Table(_) => None,
        }
    }

    /// Whether `member` is in it.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Ints(ints) => parse_int(member).is_some_and(|value| ints.contains(value)),
            Repr::Packed(packed) => packed.find(member, 1).is_some(),
            Repr::Table(table) => table.find(member).is_some(),
        }
    }

    /// Makes ready for `count` members, of which `first` is one: so many may be too many for a small
    /// form from the start.
    pub fn expect(&mut self, first: &[u8], count: usize, rules: &Rules) {
        let limits = &rules.limits;
        if self.is_empty() && (parse_int(first).is_none() || count > limits.set_max_intset_entries)
        {
            *self = Self::packed();
        }
        let too_many = match &self.0 {
            Repr::Ints(_) => count > limits.set_max_intset_entries,
            Repr::Packed(_) => count > limits.set_max_entries,
            Repr::Table(_) => false,
        };
        if too_many {
            self.become_table(rules);
        }
    }

    /// Adds `member`. False if it was there.
    pub fn add(&mut self, member: &[u8], rules: &Rules) -> bool {
        let limits = &rules.limits;
        match &mut self.0 {
            Repr::Table(table) => return table.add(member, &[]),
            Repr::Packed(packed) => {
                if packed.find(member, 1).is_some() {
                    return false;
                }
                if packed.len() < limits.set_max_entries
                    && member.len() <= limits.set_max_value
                    && packed.len_with(member) <= BYTES_MAX
                {
                    packed.push_back(member);
                    return true;
                }
            }
            Repr::Ints(ints) => {
                if let Some(value) = parse_int(member) {
                    let added = ints.insert(value);
                    if ints.len() > limits.set_max_intset_entries {
                        self.become_table(rules);
                    }
                    return added;
                }
                let longest = |value: Option<i64>| value.map_or(0, |value| Str::Int(value).len());
                let longest = longest(ints.get(0))
                    .max(longest(ints.len().checked_sub(1).and_then(|n| ints.get(n))));
                if ints.len() < limits.set_max_entries
                    && member.len() <= limits.set_max_value
                    && longest <= limits.set_max_value
                {
                    let mut packed = Forward::new();
                    ints.iter().for_each(|value| packed.push_str(Str::Int(value)));
                    packed.push_back(member);
                    self.0 = Repr::Packed(packed);
                    return true;
                }
            }
        }
        self.become_table(rules);
        self.add(member, rules)
    }

    /// Takes `member` out. False if it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Ints(ints) => parse_int(member).is_some_and(|value| ints.remove(value)),
            Repr::Packed(packed) => {
                let found = packed.find(member, 1);
                if let Some(place) = found {
                    packed.remove(place, 1);
                }
                found.is_some()
            }
            Repr::Table(table) => table.remove(member),
        }
    }

    /// All members, in the order they are kept in.
    #[must_use]
    pub fn iter(&self) -> Members<'_> {
        Members(match &self.0 {
            Repr::Ints(ints) => Walk::Ints(ints, 0),
            Repr::Packed(packed) => Walk::Packed(packed.iter()),
            Repr::Table(table) => Walk::Table(table.iter()),
        })
    }

    /// Some member, each as likely as any other.
    #[must_use]
    pub fn random(&self, rng: &mut Rng) -> Option<Str<'_>> {
        match &self.0 {
            Repr::Table(table) => table.random(rng).map(|item| Str::Bytes(table::key_of(item))),
            Repr::Ints(_) | Repr::Packed(_) => self.nth(rng.below(self.len() as u64) as usize),
        }
    }

    /// Member `n` in the order they are kept in.
    #[must_use]
    pub fn nth(&self, n: usize) -> Option<Str<'_>> {
        match &self.0 {
            Repr::Ints(ints) => ints.get(n).map(Str::Int),
            Repr::Packed(packed) => packed.seek(n).map(|place| packed.get(place)),
            Repr::Table(table) => table.nth(n).map(|item| Str::Bytes(table::key_of(item))),
        }
    }

    /// Takes out some member, each as likely as any other, after a look at it. False if there was none.
    pub fn pop(&mut self, rng: &mut Rng, look: impl FnOnce(Str<'_>)) -> bool {
        let n = if self.is_empty() { return false } else { self.len() as u64 };
        match &mut self.0 {
            Repr::Table(table) => {
                return table.pop(rng, |item| look(Str::Bytes(table::key_of(item))));
            }
            Repr::Packed(packed) => {
                let Some(place) = packed.seek(rng.below(n) as usize) else { return false };
                look(packed.get(place));
                packed.remove(place, 1);
            }
            Repr::Ints(ints) => {
                let Some(value) = ints.get(rng.below(n) as usize) else { return false };
                look(Str::Int(value));
                ints.remove(value);
            }
        }
        true
    }

    /// Calls `each` with members from `cursor` on until it has had `limit`; gives the cursor to go on
    /// from. What is there from the first call to the last is handed over.
    pub fn scan(&self, cursor: u32, limit: usize, each: &mut dyn FnMut(Str<'_>)) -> Option<u32> {
        match &self.0 {
            Repr::Table(table) => {
                table.scan(cursor, limit, &mut |item| each(Str::Bytes(table::key_of(item))))
            }
            Repr::Ints(_) | Repr::Packed(_) => {
                self.iter().for_each(each);
                None
            }
        }
    }

    /// A packed set of nothing but integers becomes an array of them, as a stored result does.
    pub fn settle(&mut self, rules: &Rules) {
        let Repr::Packed(packed) = &self.0 else { return };
        let ints_only = packed.iter().all(|member| matches!(member, Str::Int(_)));
        if packed.is_empty() || packed.len() > rules.limits.set_max_intset_entries || !ints_only {
            return;
        }
        let mut ints = IntSet::default();
        for member in packed.iter() {
            if let Str::Int(value) = member {
                ints.insert(value);
            }
        }
        self.0 = Repr::Ints(ints);
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().all(|member| member.with(|member| other.contains(member)))
    }

    fn become_table(&mut self, rules: &Rules) {
        let mut table = Box::new(Table::new(&rules.seed));
        for member in self.iter() {
            member.with(|member| table.add(member, &[]));
        }
        self.0 = Repr::Table(table);
    }
}

/// All members of a set.
#[derive(Clone)]
pub struct Members<'a>(Walk<'a>);

#[derive(Clone)]
enum Walk<'a> {
    Ints(&'a IntSet, usize),
    Packed(packed::Iter<'a, false>),
    Table(table::Items<'a, Member>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        match &mut self.0 {
            Walk::Ints(ints, n) => {
                *n += 1;
                ints.get(*n - 1).map(Str::Int)
            }
            Walk::Packed(rest) => rest.next(),
            Walk::Table(rest) => rest.next().map(|item| Str::Bytes(table::key_of(item))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stoa_stdx::{HashSeed, Rng};

    use super::Set;
    use crate::{Limits, Rules};

    fn rules() -> Rules {
        Rules { limits: Limits::default(), seed: HashSeed::new([1, 2, 3, 4]) }
    }

    fn member(rng: &mut Rng, strings: bool) -> Vec<u8> {
        let n = rng.below(400).to_string();
        if strings && rng.one_in(3) { format!("m{n}").into_bytes() } else { n.into_bytes() }
    }

    #[test]
    fn a_set_agrees_with_a_set_in_every_form() {
        for seed in 0..if cfg!(miri) { 2 } else { 60 } {
            let mut rng = Rng::new(seed);
            let rules = rules();
            let mut set = Set::default();
            let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
            for step in 0..if cfg!(miri) { 100 } else { 1_500 } {
                let case = format!("seed {seed}, step {step}, {}", set.encoding());
                let member = member(&mut rng, seed % 3 > 0 && step > 200);
                match rng.below(if seed % 2 == 0 { 4 } else { 12 }) {
                    0 => assert_eq!(set.remove(&member), model.remove(&member), "{case}"),
                    1 if !model.is_empty() => {
                        let mut popped = Vec::new();
                        assert!(set.pop(&mut rng, |member| popped = member.to_vec()), "{case}");
                        assert!(model.remove(&popped), "{case}");
                    }
                    _ => {
                        let added = set.add(&member, &rules);
                        assert_eq!(added, model.insert(member.clone()), "{case}");
                    }
                }
                assert_eq!(set.len(), model.len(), "{case}");
                assert_eq!(set.contains(&member), model.contains(&member), "{case}");
                if step % 50 == 0 {
                    let all: BTreeSet<_> = set.iter().map(|member| member.to_vec()).collect();
                    assert_eq!(all, model, "{case}");
                    let mut seen = BTreeSet::new();
                    let mut cursor = Some(0);
                    while let Some(from) = cursor {
                        cursor = set.scan(from, 7, &mut |member| {
                            seen.insert(member.to_vec());
                        });
                    }
                    assert_eq!(seen, model, "{case}");
                }
            }
        }
    }

    #[test]
    fn forms_change_where_the_directives_say() {
        if cfg!(miri) {
            return;
        }
        let rules = rules();
        let mut set = Set::default();
        for n in 0..512 {
            set.add(n.to_string().as_bytes(), &rules);
        }
        assert_eq!(set.encoding(), "intset");
        set.add(b"512", &rules);
        assert_eq!(set.encoding(), "hashtable");
        let mut set = Set::default();
        for n in 0..127 {
            set.add(n.to_string().as_bytes(), &rules);
        }
        set.add(b"word", &rules);
        assert_eq!(set.encoding(), "listpack");
        set.add(b"more", &rules);
        assert_eq!(set.encoding(), "hashtable");
        let mut set = Set::default();
        set.add(&[b'x'; 64], &rules);
        assert_eq!(set.encoding(), "listpack");
        set.add(&[b'x'; 65], &rules);
        assert_eq!(set.encoding(), "hashtable");
        let mut set = Set::packed();
        set.add(b"12", &rules);
        set.settle(&rules);
        assert_eq!(set.encoding(), "intset");
    }
}
