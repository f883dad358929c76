//! Any value that is no string, and how it lies in its key's entry.
//!
//! An entry knows the type of its value, so there a value lies without a tag of its own, 16 bytes.
//! Outside, as an [`Object`], it carries one: that is what moves between shards. A new type is a line
//! in the list below, and the compiler names the rest.

use crate::copying::other_form;
use crate::{Hash, List, Set, SortedSet, Stream};

/// The type of a value. Numbers are stored in entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// Bytes, or an integer that prints to them.
    String = 0,
    /// A sequence with two ends.
    List = 1,
    /// Distinct members.
    Set = 2,
    /// Distinct members in the order of their scores.
    SortedSet = 3,
    /// Fields with values.
    Hash = 4,
    /// An append-only log of entries.
    Stream = 5,
}

impl Type {
    /// The name that TYPE answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }

    /// From its number in an entry's header.
    ///
    /// # Panics
    /// When it is no type's: headers are ours.
    #[must_use]
    pub const fn of_number(number: u8) -> Self {
        match number {
            0 => Self::String,
            1 => Self::List,
            2 => Self::Set,
            3 => Self::SortedSet,
            4 => Self::Hash,
            5 => Self::Stream,
            _ => panic!("no type has this number"),
        }
    }
}

/// Bytes of a value in its entry.
pub const OBJECT_SIZE: usize = 16;

/// A type that is no string. The default is the empty value.
pub trait Kind: Sized + Default + Send + 'static {
    /// Its type.
    const TYPE: Type;

    /// With the tag.
    fn into_object(self) -> Object;
    /// Whether nothing is in it: such a value has no key.
    fn is_empty(&self) -> bool;
}

macro_rules! objects {
    ($($kind:ident),*) => {
        /// A value on its own, outside any entry.
        #[derive(Clone, Debug)]
        #[expect(missing_docs, reason = "a variant is its type")]
        pub enum Object { $($kind($kind)),* }

        /// A value seen where it lies.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "a variant is its type")]
        pub enum ObjectRef<'a> { $($kind(&'a $kind)),* }

        $(
            const _: () = assert!(size_of::<$kind>() == OBJECT_SIZE && align_of::<$kind>() <= 8);

            impl Kind for $kind {
                const TYPE: Type = Type::$kind;

                fn into_object(self) -> Object {
                    Object::$kind(self)
                }

                fn is_empty(&self) -> bool {
                    self.is_empty()
                }
            }
        )*

        impl Object {
            /// The same, seen.
            #[must_use]
            pub const fn as_ref(&self) -> ObjectRef<'_> {
                match self { $(Self::$kind(value) => ObjectRef::$kind(value)),* }
            }

            /// Frees about `left` blocks of memory, and takes them off it. True when there are more.
            pub fn free_some(&mut self, left: &mut usize) -> bool {
                match self { $(Self::$kind(value) => value.free_some(left)),* }
            }

            /// Writes the value without its tag.
            ///
            /// # Safety
            /// `at` is aligned to 8 and has room for [`OBJECT_SIZE`] bytes. Nothing is dropped there.
            pub unsafe fn write_to(self, at: *mut u8) {
                // SAFETY: by contract; each kind has this size and at most this alignment.
                match self { $(Self::$kind(value) => unsafe { at.cast::<$kind>().write(value) }),* }
            }

            /// Takes the value that lies at `at`.
            ///
            /// # Safety
            /// A value of type `ty` was written there and is not used there again.
            #[must_use]
            pub unsafe fn read_from(ty: Type, at: *const u8) -> Self {
                match ty {
                    // SAFETY: by contract.
                    $(Type::$kind => Self::$kind(unsafe { at.cast::<$kind>().read() }),)*
                    other => unreachable!("{other:?} is no object"),
                }
            }
        }

        impl<'a> ObjectRef<'a> {
            /// The value that lies at `at`.
            ///
            /// # Safety
            /// A value of type `ty` was written there, and nobody changes it while `'a` lasts.
            #[must_use]
            pub unsafe fn at(ty: Type, at: *const u8) -> Self {
                match ty {
                    // SAFETY: by contract.
                    $(Type::$kind => Self::$kind(unsafe { &*at.cast::<$kind>() }),)*
                    other => unreachable!("{other:?} is no object"),
                }
            }

            /// A copy that stands on its own.
            #[must_use]
            pub fn to_object(self) -> Object {
                match self { $(Self::$kind(value) => Object::$kind(value.clone())),* }
            }

            /// What [`ObjectRef::copy_some`] fills.
            pub(crate) fn copy_begin(self) -> Object {
                match self { $(Self::$kind(value) => Object::$kind(value.copy_begin())),* }
            }

            /// Copies about `left` bytes more. True when there are more.
            pub(crate) fn copy_some(self, to: &mut Object, at: &mut u64, left: &mut usize) -> bool {
                match (self, to) {
                    $((Self::$kind(from), Object::$kind(to)) => from.copy_some(to, at, left),)*
                    _ => other_form(),
                }
            }

            /// The type.
            #[must_use]
            pub const fn ty(self) -> Type {
                match self { $(Self::$kind(_) => Type::$kind),* }
            }

            /// OBJECT ENCODING's word.
            #[must_use]
            pub fn encoding(self) -> &'static str {
                match self { $(Self::$kind(value) => value.encoding()),* }
            }

            /// Elements, members, fields, entries.
            #[must_use]
            #[expect(clippy::len_without_is_empty, reason = "empty values have no key")]
            pub fn len(self) -> usize {
                match self { $(Self::$kind(value) => value.len()),* }
            }

            /// Bytes it takes outside its entry.
            #[must_use]
            pub fn bytes(self) -> usize {
                match self { $(Self::$kind(value) => value.bytes()),* }
            }

            /// Whether dropping it at once takes no time worth dividing.
            #[must_use]
            pub fn is_light(self) -> bool {
                match self { $(Self::$kind(value) => value.is_light()),* }
            }
        }

        /// The same content, however it is encoded.
        impl PartialEq for Object {
            fn eq(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => a.same(b),)*
                    _ => false,
                }
            }
        }

        impl Eq for Object {}
    };
}

objects!(List, Set, SortedSet, Hash, Stream);

const _: () = assert!(size_of::<Object>() <= 24, "what moves between shards is small");
