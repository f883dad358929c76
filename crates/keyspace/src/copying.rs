//! A copy of a key's value that is made in portions.
//!
//! What is small is copied when the copy is begun. Whoever makes one of a large value sees to it that
//! nobody changes the original between its portions: the shard holds the key as for a transaction.

use stoa_value::{ObjectRef, Str};

use crate::db::Owned;
use crate::entry::Value;

/// What a key holds, seen where it lies: in its database, or outside of any.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string; `raw` if it was changed in place before.
    String {
        /// The content.
        text: Str<'a>,
        /// See [`Value::Bytes`].
        raw: bool,
    },
    /// Another type.
    Object(ObjectRef<'a>),
}

/// A copy that may not be whole yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copying {
    /// Of an integer.
    Int(i64),
    /// Of bytes, as far as they are copied.
    Bytes {
        /// What there is.
        bytes: Vec<u8>,
        /// See [`Value::Bytes`].
        raw: bool,
    },
    /// Of another type.
    Object(stoa_value::Copying),
}

impl Copying {
    /// Begins a copy.
    #[must_use]
    pub fn begin(from: ValueRef<'_>) -> Self {
        match from {
            ValueRef::String { text: Str::Int(value), .. } => Self::Int(value),
            ValueRef::String { text: Str::Bytes(bytes), raw } => {
                Self::Bytes { bytes: Vec::with_capacity(bytes.len()), raw }
            }
            ValueRef::Object(object) => Self::Object(stoa_value::Copying::begin(object)),
        }
    }

    /// Copies about `len` bytes more of the same value. True when there are more.
    ///
    /// # Panics
    /// When it is another value.
    pub fn go_on(&mut self, from: ValueRef<'_>, len: usize) -> bool {
        match (self, from) {
            (Self::Int(_), ValueRef::String { .. }) => false,
            (Self::Bytes { bytes, .. }, ValueRef::String { text: Str::Bytes(from), .. }) => {
                let rest = &from[bytes.len()..];
                bytes.extend_from_slice(&rest[..rest.len().min(len)]);
                bytes.len() < from.len()
            }
            (Self::Object(copying), ValueRef::Object(object)) => {
                copying.go_on(object, &mut { len })
            }
            (Self::Int(_) | Self::Bytes { .. } | Self::Object(_), _) => {
                unreachable!("what is copied does not change meanwhile")
            }
        }
    }

    /// The copy, which is whole.
    #[must_use]
    pub fn finish(self) -> Value {
        match self {
            Self::Int(value) => Value::Int(value),
            Self::Bytes { bytes, raw } => Value::Bytes { bytes, raw },
            Self::Object(copying) => Value::Object(copying.finish()),
        }
    }
}

impl Owned {
    /// What it holds, seen.
    #[must_use]
    pub fn value(&self) -> ValueRef<'_> {
        match &self.value {
            Value::Int(value) => ValueRef::String { text: Str::Int(*value), raw: false },
            Value::Bytes { bytes, raw } => ValueRef::String { text: Str::Bytes(bytes), raw: *raw },
            Value::Object(object) => ValueRef::Object(object.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, UnixMs};

    use super::Copying;
    use crate::{Keyspace, Ttl};

    #[test]
    fn a_string_is_copied_in_portions_and_whole() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let (db, now) = (DbIndex(0), UnixMs(1));
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        for text in [&b"12"[..], b"short", &[7; 1_000], &[9; 100_001]] {
            let key = secret.key(b"k");
            keyspace.db(db, now, true).set_string(&key, text, Ttl::Clear);
            let mut db = keyspace.db(db, now, true);
            let from = db.peek(&key).expect("just set");
            let mut copying = Copying::begin(from.value());
            let mut portions = 1;
            while copying.go_on(from.value(), 1_000) {
                portions += 1;
            }
            assert_eq!(portions, text.len().div_ceil(1_000));
            assert_eq!(copying.finish(), from.to_owned().value);
        }
    }
}
