//! Sets of named bits: command flags, key flags, access categories. Names are those that COMMAND
//! INFO and ACL print.

/// What a command does and where it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

/// What a command does with the keys of one key spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFlags(u16);

macro_rules! bits {
    ($type:ident, $repr:ty, $($name:ident = $bit:expr, $text:expr, $doc:expr;)*) => {
        impl $type {
            $(#[doc = $doc] pub const $name: Self = Self(1 << $bit);)*
            /// The empty set.
            pub const NONE: Self = Self(0);
            /// Every bit with its printed name, in printing order.
            pub const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            /// The union.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether all bits of `other` are set.
            #[must_use]
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The printed names of the bits that are set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
            }
        }

        impl std::ops::BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }
    };
}

bits! { Flags, u32,
    WRITE = 0, "write", "May change keys.";
    READONLY = 1, "readonly", "Reads keys and changes none.";
    DENYOOM = 2, "denyoom", "Refused when memory is out.";
    MODULE = 3, "module", "Comes from a module.";
    ADMIN = 4, "admin", "For operators.";
    PUBSUB = 5, "pubsub", "About channels.";
    NOSCRIPT = 6, "noscript", "Not from scripts.";
    BLOCKING = 7, "blocking", "May wait.";
    LOADING = 8, "loading", "Answers while data is loading.";
    STALE = 9, "stale", "Answers on a replica with stale data.";
    SKIP_MONITOR = 10, "skip_monitor", "Not shown by MONITOR.";
    SKIP_SLOWLOG = 11, "skip_slowlog", "Not kept in the slow log.";
    ASKING = 12, "asking", "Implies ASKING.";
    FAST = 13, "fast", "Constant or logarithmic time.";
    NO_AUTH = 14, "no_auth", "Answers before authentication.";
    MAY_REPLICATE = 15, "may_replicate", "May produce replication traffic.";
    SENTINEL = 16, "sentinel", "Sentinel mode.";
    ONLY_SENTINEL = 17, "only_sentinel", "Sentinel mode only.";
    NO_MANDATORY_KEYS = 18, "no_mandatory_keys", "Keys may be absent.";
    PROTECTED = 19, "", "Behind an enable-... directive (never printed).";
    NO_ASYNC_LOADING = 20, "no_async_loading", "Refused while a replica loads in the background.";
    NO_MULTI = 21, "no_multi", "Not inside MULTI.";
    ALLOW_BUSY = 22, "allow_busy", "Answers while a script is busy.";
    MOVABLE_KEYS = 23, "movablekeys", "Key positions depend on the arguments.";
    IMMEDIATE = 29, "", "Runs at once between MULTI and EXEC (never printed).";
    IN_SUBSCRIBED = 28, "", "A subscriber that speaks RESP2 may say it (never printed).";
    CONTAINER = 30, "", "Only holds subcommands (never printed).";
}

bits! { KeyFlags, u16,
    RO = 0, "RO", "Reads the value.";
    RW = 1, "RW", "Changes the value.";
    OW = 2, "OW", "Overwrites the value without reading it.";
    RM = 3, "RM", "Removes the key.";
    ACCESS = 4, "access", "Returns or uses the value's content.";
    UPDATE = 5, "update", "Changes the value's content.";
    INSERT = 6, "insert", "Adds content to the value.";
    DELETE = 7, "delete", "Removes content from the value.";
    NOT_KEY = 8, "not_key", "Looks like a key and is none.";
    INCOMPLETE = 9, "incomplete", "The spec finds some of the keys only.";
    VARIABLE_FLAGS = 10, "variable_flags", "Flags depend on the arguments.";
}

/// An access category of ACL (`@read` and so on). Those that follow from flags are derived in
/// [`Spec::categories`](crate::Spec::categories).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the printed name is the documentation")]
pub enum Category {
    Keyspace,
    Read,
    Write,
    Set,
    SortedSet,
    List,
    Hash,
    String,
    Bitmap,
    HyperLogLog,
    Geo,
    Stream,
    PubSub,
    Admin,
    Fast,
    Slow,
    Blocking,
    Dangerous,
    Connection,
    Transaction,
    Scripting,
}

impl Category {
    /// The printed name without `@`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyspace => "keyspace",
            Self::Read => "read",
            Self::Write => "write",
            Self::Set => "set",
            Self::SortedSet => "sortedset",
            Self::List => "list",
            Self::Hash => "hash",
            Self::String => "string",
            Self::Bitmap => "bitmap",
            Self::HyperLogLog => "hyperloglog",
            Self::Geo => "geo",
            Self::Stream => "stream",
            Self::PubSub => "pubsub",
            Self::Admin => "admin",
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Blocking => "blocking",
            Self::Dangerous => "dangerous",
            Self::Connection => "connection",
            Self::Transaction => "transaction",
            Self::Scripting => "scripting",
        }
    }
}
