//! One command's description, from which everything but its execution is derived.

use crate::{Args, Category, Flags, KeyFlags, KeyPositions, KeySpec, ReplyError};

/// A command, described. `..Spec::DEFAULT` fills what most commands leave alone.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case, as COMMAND prints it; a subcommand is `parent|name`.
    pub name: &'static str,
    /// One sentence for COMMAND DOCS.
    pub summary: &'static str,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// Since when it is discouraged, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// For the server's own tests and tools, not for programs.
    pub is_internal: bool,
    /// The group of the reference pages.
    pub group: Group,
    /// Cost, in the reference's words.
    pub complexity: &'static str,
    /// The arguments after the name in the grammar of [`crate::syntax`].
    pub syntax: &'static str,
    /// How many arguments, the name(s) included.
    pub arity: Arity,
    /// What it does and where it may run.
    pub flags: Flags,
    /// Access categories besides those that follow from flags.
    pub categories: &'static [Category],
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Finds keys that no key spec says (STORE of SORT).
    pub more_keys: Option<fn(&Args<'_>, &mut KeyPositions)>,
    /// What this request does with the keys of specs that are marked `VARIABLE_FLAGS`.
    pub key_flags: Option<fn(&Args<'_>) -> KeyFlags>,
    /// Whether this request is about all keys, if the flags do not say so of every one (DEBUG RELOAD).
    pub all_keys: Option<fn(&Args<'_>) -> bool>,
    /// To which shards it goes.
    pub request: RequestPolicy,
    /// How the answers of several shards become one.
    pub response: ResponsePolicy,
    /// Published command tips besides the two policies.
    pub tips: &'static [&'static str],
}

impl Spec {
    /// A command without keys that runs at home.
    pub const DEFAULT: Self = Self {
        name: "",
        summary: "",
        since: "1.0.0",
        deprecated: None,
        is_internal: false,
        group: Group::Server,
        complexity: "O(1)",
        syntax: "",
        arity: Arity(1),
        flags: Flags::NONE,
        categories: &[],
        keys: &[],
        more_keys: None,
        key_flags: None,
        all_keys: None,
        request: RequestPolicy::Keys,
        response: ResponsePolicy::Whole,
        tips: &[],
    };

    /// The name without its parent: `list` of `client|list`.
    #[must_use]
    pub fn own_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, own)| own)
    }

    /// The parent's name, for a subcommand.
    #[must_use]
    pub fn parent(&self) -> Option<&'static str> {
        self.name.split_once('|').map(|(parent, _)| parent)
    }

    /// All access categories: those given, and those that follow from the flags.
    pub fn categories(&self) -> impl Iterator<Item = Category> + '_ {
        let scripting = self.categories.contains(&Category::Scripting);
        let derived = [
            (self.flags.has(Flags::WRITE), Category::Write),
            (self.flags.has(Flags::READONLY) && !scripting, Category::Read),
            (self.flags.has(Flags::ADMIN), Category::Admin),
            (self.flags.has(Flags::ADMIN), Category::Dangerous),
            (self.flags.has(Flags::PUBSUB), Category::PubSub),
            (self.flags.has(Flags::FAST), Category::Fast),
            (!self.flags.has(Flags::FAST), Category::Slow),
            (self.flags.has(Flags::BLOCKING), Category::Blocking),
        ];
        let given = self.categories;
        given.iter().copied().chain(
            derived
                .into_iter()
                .filter(move |(holds, category)| *holds && !given.contains(category))
                .map(|(_, category)| category),
        )
    }

    /// Whether one request is about all keys there are: it waits for whoever holds some of them.
    #[must_use]
    pub fn wants_all_keys(&self, args: &Args<'_>) -> bool {
        let is_data = self.flags.has(Flags::WRITE) || self.flags.has(Flags::READONLY);
        self.keys.is_empty() && (is_data || self.all_keys.is_some_and(|wants| wants(args)))
    }

    /// The key positions of one request.
    ///
    /// # Errors
    /// When the arguments do not hold the keys that the specs promise.
    pub fn key_positions(
        &self,
        args: &Args<'_>,
        into: &mut KeyPositions,
    ) -> Result<(), ReplyError> {
        into.clear();
        self.keys.iter().try_for_each(|spec| spec.positions(args, into))?;
        if let Some(more_keys) = self.more_keys {
            more_keys(args, into);
        }
        if let Some(key_flags) = self.key_flags {
            into.settle(key_flags(args));
        }
        Ok(())
    }
}

/// Argument count, the name included: exact when positive, a minimum when negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity(pub i16);

impl Arity {
    /// Whether a request of `argc` arguments may pass.
    #[must_use]
    pub const fn admits(self, argc: usize) -> bool {
        if self.0 >= 0 { argc == self.0 as usize } else { argc >= self.0.unsigned_abs() as usize }
    }
}

/// The groups of the reference pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the printed name is the documentation")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Sentinel,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Sentinel => "sentinel",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// To which shards a request goes (the published `request_policy` tip, and what it leaves open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPolicy {
    /// To the owner of its keys; without keys it runs at home. Keys of several shards are brought
    /// together there.
    Keys,
    /// `multi_shard`: each owner gets an ordinary request with its share of the keys.
    Split,
    /// `all_shards` / `all_nodes`: every shard runs it.
    AllShards,
    /// Walks the slots in order, from the owner of a cursor on (SCAN).
    Walk,
    /// Runs what the client queued (EXEC).
    Exec,
    /// Each owner notes its share of the keys for the client (WATCH).
    Watch,
}

/// How the answers of several shards become one (the published `response_policy` tip).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsePolicy {
    /// There is one answer only.
    Whole,
    /// Arrays of per-key answers, put back in the order of the keys (MGET).
    ByKey,
    /// Arrays put one after the other in the order of shards (KEYS).
    Concat,
    /// The first answer; an error wins (FLUSHALL).
    AllSucceeded,
    /// The sum of integers (DBSIZE, DEL).
    Sum,
    /// Facts that the command's own `merge` turns into a reply (INFO).
    Merge,
}
