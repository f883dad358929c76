//! The hash type.

use crate::Packed;

/// A hash.
#[derive(Clone, Debug)]
pub struct Hash(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Packed),
    /// Room for the large form.
    Table(Box<Packed>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Repr::Packed(Packed::new()))
    }
}

impl Hash {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len(),
            Repr::Table(packed) => packed.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.capacity(),
            Repr::Table(packed) => packed.capacity(),
        }
    }

    /// Frees about `limit` blocks. True when there are more.
    pub fn free_some(&mut self, _limit: usize) -> bool {
        *self = Self::default();
        false
    }

    /// Whether it is dropped in no time.
    #[must_use]
    pub fn is_light(&self) -> bool {
        true
    }

    fn packed(&self) -> &Packed {
        match &self.0 {
            Repr::Packed(packed) => packed,
            Repr::Table(packed) => packed,
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.packed().iter().eq(other.packed().iter())
    }

    /// Adds one at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Repr::Packed(packed) => packed.push_back(bytes),
            Repr::Table(packed) => packed.push_back(bytes),
        }
    }
}
