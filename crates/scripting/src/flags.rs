//! What a script or function says of itself.

/// A set of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// It does not write.
    pub const NO_WRITES: Self = Self(1);
    /// It may run when memory is out.
    pub const ALLOW_OOM: Self = Self(2);
    /// It may run on a replica that lost its primary.
    pub const ALLOW_STALE: Self = Self(4);
    /// It must not run in a cluster.
    pub const NO_CLUSTER: Self = Self(8);
    /// It may touch keys of several slots.
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(16);
    /// It says nothing of itself: what it may do is found out command by command.
    pub const COMPAT: Self = Self(32);

    /// Those with a name, as the reference lists them.
    pub const NAMED: [(Self, &'static str); 5] = [
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    /// The union.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flag of that name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| known.as_bytes() == name).map(|(flag, _)| *flag)
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}
