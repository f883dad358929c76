//! A string as it is kept: bytes, or the integer that prints to them.

/// A string as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Str<'a> {
    /// An integer in canonical decimal form.
    Int(i64),
    /// Any other bytes.
    Bytes(&'a [u8]),
}

impl Str<'_> {
    /// The bytes, through a buffer when it is an integer.
    pub fn with<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Bytes(bytes) => read(bytes),
            Self::Int(value) => read(itoa::Buffer::new().format(*value).as_bytes()),
        }
    }

    /// The bytes, on their own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.with(<[u8]>::to_vec)
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Bytes(b""))
    }
}
