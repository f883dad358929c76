//! How large a request may be. Every number a client declares is held against one of these before
//! anything is reserved for it.

/// The bounds one request is parsed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`). Values above 2 GiB - 1 act as that, since
    /// a [`Span`](crate::Span) counts in 31 bits.
    pub bulk_len_max: usize,
    /// Most arguments of one request.
    pub args_max: usize,
    /// Longest inline request, and longest `*N` or `$N` header line.
    pub inline_max: usize,
    /// Whether the connection has yet to log in. Then 10 arguments of 16 KiB are all it gets: enough
    /// for HELLO and AUTH, too little to fill memory from outside.
    pub unauthenticated: bool,
}

/// Most arguments before login.
pub(crate) const ARGS_MAX_UNAUTHENTICATED: usize = 10;
/// Longest argument before login.
pub(crate) const BULK_LEN_MAX_UNAUTHENTICATED: usize = 16_384;

impl Limits {
    /// The bounds of a connection that has logged in, or need not.
    pub const fn authenticated() -> Self {
        Self {
            bulk_len_max: 512 * 1024 * 1024,
            args_max: 1024 * 1024,
            inline_max: 64 * 1024,
            unauthenticated: false,
        }
    }

    /// The bounds before login: 10 arguments of at most 16,384 bytes.
    pub const fn unauthenticated() -> Self {
        let mut limits = Self::authenticated();
        limits.unauthenticated = true;
        limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::authenticated()
    }
}
