//! A list, set or hash while a command changes it.
//!
//! The value is changed where it lies, in its entry. When the change is over, a value that became
//! empty takes its key with it: no key holds an empty collection. A hash whose fields got deadlines is
//! put on the wheel.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use stoa_stdx::{DbIndex, Key};
use stoa_value::{Hash, Kind, Type};

use crate::Keyspace;

/// The value of a key, borrowed to be changed.
pub struct Edit<'a, T: Kind> {
    keyspace: &'a mut Keyspace,
    index: DbIndex,
    key: Key<'a>,
    /// In the entry of `key`, which stays where it is as long as the keyspace is borrowed here.
    place: NonNull<T>,
    /// The key goes, whatever its value holds.
    removes: bool,
}

impl<'a, T: Kind> Edit<'a, T> {
    pub(crate) const fn new(
        keyspace: &'a mut Keyspace,
        index: DbIndex,
        key: Key<'a>,
        place: NonNull<T>,
    ) -> Self {
        Self { keyspace, index, key, place, removes: false }
    }

    /// Puts another value in its place; what takes long to free is freed in portions.
    pub fn replace(&mut self, value: T) {
        let old = std::mem::replace(&mut **self, value).into_object();
        if !old.as_ref().is_light() {
            self.keyspace.condemned_objects.push(old);
        }
    }

    /// Removes the key; what takes long to free is freed in portions.
    pub fn remove_key(mut self) {
        self.removes = true;
    }
}

impl<T: Kind> Deref for Edit<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a T lies in the entry (the maker looked at its type), and nobody else reaches the
        // keyspace while it is borrowed here.
        unsafe { self.place.as_ref() }
    }
}

impl<T: Kind> DerefMut for Edit<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and borrowed exclusively.
        unsafe { self.place.as_mut() }
    }
}

impl<T: Kind> Drop for Edit<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.removes || self.is_empty() {
            self.keyspace.discard(self.index, &self.key);
        } else if T::TYPE == Type::Hash {
            // SAFETY: the type says that T is Hash; borrowed exclusively as in `deref_mut`.
            let hash = unsafe { self.place.cast::<Hash>().as_mut() };
            self.keyspace.arm_fields(self.index, &self.key, hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, Rng, UnixMs};
    use stoa_value::{End, Limits, List, Rules, Set, Type};

    use crate::{Keyspace, Owned, Ttl, Value, WrongType};

    const DB: DbIndex = DbIndex(0);
    const NOW: UnixMs = UnixMs(1_000);

    fn keyspace() -> (Keyspace, HashSeed) {
        let secret = HashSeed::new([1, 2, 3, 4]);
        (Keyspace::new(2, secret.clone(), NOW), secret)
    }

    fn rules() -> Rules {
        Rules { limits: Limits::default(), seed: HashSeed::new([5, 6, 7, 8]) }
    }

    #[test]
    fn a_key_comes_and_goes_with_the_content_of_its_collection() {
        let (mut keyspace, secret) = keyspace();
        let key = secret.key(b"k");
        assert!(matches!(keyspace.db(DB, NOW, true).edit::<List>(&key), Ok(None)));
        drop(keyspace.db(DB, NOW, true).edit_or_new::<List>(&key));
        assert!(keyspace.db(DB, NOW, true).peek(&key).is_none(), "nothing was put in");
        keyspace.db(DB, NOW, true).edit_or_new::<List>(&key).expect("a new key").push(
            End::Back,
            b"one",
            &rules(),
        );
        let read = keyspace.db(DB, NOW, true).read::<List>(&key).expect("a list");
        assert_eq!(read.map(List::len), Some(1));
        let mut edit = keyspace.db(DB, NOW, true).edit::<List>(&key).expect("a list");
        **edit.as_mut().expect("it is there") = List::default();
        drop(edit);
        assert!(keyspace.db(DB, NOW, true).peek(&key).is_none(), "it became empty");
        assert_eq!(keyspace.arena.used_bytes(), 0);
    }

    #[test]
    fn types_are_told_apart() {
        let (mut keyspace, secret) = keyspace();
        let (key, other) = (secret.key(b"k"), secret.key(b"s"));
        keyspace.db(DB, NOW, true).edit_or_new::<List>(&key).expect("a new key").push(
            End::Back,
            b"one",
            &rules(),
        );
        keyspace.db(DB, NOW, true).set_string(&other, b"v", Ttl::Clear);
        assert_eq!(keyspace.db(DB, NOW, true).read::<Set>(&key).err(), Some(WrongType));
        assert_eq!(keyspace.db(DB, NOW, true).read::<List>(&other).err(), Some(WrongType));
        assert!(keyspace.db(DB, NOW, true).edit_or_new::<Set>(&key).is_err());
        let mut db = keyspace.db(DB, NOW, true);
        assert_eq!(db.string_mut(&key, 3).err(), Some(WrongType));
        let entry = db.peek(&key).expect("it is there");
        assert_eq!(
            (entry.ty(), entry.encoding(), entry.string()),
            (Type::List, "listpack", Err(WrongType))
        );
        db.set_string(&key, b"over", Ttl::Clear);
        assert_eq!(db.peek(&key).map(|entry| entry.ty()), Some(Type::String));
    }

    /// What a key holds: a list's elements, a string, and its deadline.
    type Held = (Option<Vec<Vec<u8>>>, Vec<u8>, Option<u64>);

    fn held(keyspace: &mut Keyspace, key: &stoa_stdx::Key<'_>) -> Option<Held> {
        let mut db = keyspace.db(DB, NOW, true);
        let entry = db.peek(key)?;
        let deadline = entry.deadline().map(|at| at.0);
        match entry.string() {
            Ok(text) => Some((None, text.to_vec(), deadline)),
            Err(WrongType) => {
                let list = entry.read::<List>().expect("lists and strings only");
                Some((Some(list.iter().map(|text| text.to_vec()).collect()), Vec::new(), deadline))
            }
        }
    }

    #[test]
    fn objects_keep_their_content_wherever_their_entries_go() {
        for seed in 0..if cfg!(miri) { 2 } else { 40 } {
            let mut rng = Rng::new(seed);
            let (mut keyspace, secret) = keyspace();
            let mut model: std::collections::BTreeMap<Vec<u8>, Held> = Default::default();
            for step in 0..if cfg!(miri) { 80 } else { 1_500 } {
                let case = format!("seed {seed}, step {step}");
                let long = if rng.one_in(20) { 70_000 } else { rng.below(30) as usize };
                let mut name = rng.below(20).to_string().into_bytes();
                name.resize(name.len() + if cfg!(miri) { long % 40 } else { long }, b'k');
                let key = secret.key(&name);
                let mut db = keyspace.db(DB, NOW, true);
                match rng.below(6) {
                    0 | 1 => {
                        let text = vec![b'e'; rng.below(60) as usize];
                        if let Ok(mut list) = db.edit_or_new::<List>(&key) {
                            list.push(End::Back, &text, &rules());
                            let held = model.entry(name.clone()).or_insert((
                                Some(Vec::new()),
                                Vec::new(),
                                None,
                            ));
                            held.0.as_mut().expect("a list").push(text);
                        };
                    }
                    2 => {
                        let at = (!rng.one_in(2)).then(|| 5_000 + rng.below(100));
                        if db.set_deadline(&key, at.map(UnixMs)) {
                            model.get_mut(&name).expect("there").2 = at;
                        }
                    }
                    3 => {
                        db.set_string(&key, b"text", Ttl::Keep);
                        let old = model.get(&name).and_then(|held| held.2);
                        model.insert(name, (None, b"text".to_vec(), old));
                    }
                    4 => assert_eq!(db.remove(&key), model.remove(&name).is_some(), "{case}"),
                    _ => {
                        let copy = db.peek(&key).map(|entry| entry.to_owned());
                        let taken: Option<Owned> = db.take(&key);
                        assert_eq!(copy, taken, "{case}");
                        if let Some(owned) = taken {
                            assert_eq!(
                                matches!(owned.value, Value::Object(_)),
                                model[&name].0.is_some(),
                                "{case}"
                            );
                            db.put(&key, owned);
                        }
                    }
                }
                for (name, want) in model.iter().filter(|_| step % 40 == 39) {
                    let key = secret.key(name);
                    assert_eq!(held(&mut keyspace, &key).as_ref(), Some(want), "{case}");
                }
            }
            keyspace.db(DB, NOW, true).clear();
            while keyspace.free_condemned(3) {}
            assert_eq!(keyspace.arena.used_bytes(), 0, "seed {seed}: every block came back");
        }
    }
}
