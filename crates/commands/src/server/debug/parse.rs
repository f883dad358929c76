//! The words of DEBUG, in one table with what each is for.

use stoa_command::{Args, ReplyError, parse_double, parse_int};
use stoa_config::parse_memory;
use stoa_engine::Reply;

/// The most that DEBUG QUICKLIST-PACKED-THRESHOLD takes, as in the reference.
const PACKED_MAX: u64 = (1 << 32) - (1 << 20);

const NO_OPTION: &str = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
const NO_SNAPSHOT: &str = "ERR DEBUG RELOAD NOSAVE needs a snapshot, which this server does not write yet; keys are unchanged";
const ALL_THERE: &str =
    "ERR DEBUG RELOAD NOFLUSH finds every key there already: say MERGE, too; keys are unchanged";
const NO_LOG: &str =
    "ERR there is no append only file to load, as appendonly is off; keys are unchanged";

/// What is asked.
#[derive(Clone)]
pub enum What<'a> {
    /// The list of all this.
    Help,
    /// Serve nobody for a while.
    Sleep {
        /// How long.
        ms: u64,
    },
    /// Reclaim expired keys in the background, or not.
    SetActiveExpire(bool),
    /// Let what time brings rest, or not.
    PauseCron(bool),
    /// Take payloads with any checksum, or not.
    SkipSums(bool),
    /// Let scripts call what is denied to them, or not.
    ScriptsMayAll(bool),
    /// Make keys.
    Populate(Populate<'a>),
    /// How a key is kept.
    Object(&'a [u8]),
    /// One number for all keys.
    Digest,
    /// A number for each value.
    DigestValue(&'a [&'a [u8]]),
    /// How long inserts took.
    InsertHistogram,
    /// The way of sampled requests.
    Trace,
    /// Answer this error.
    Error(&'a [u8]),
    /// Answer a value of this type.
    Protocol(&'a [u8]),
    /// How full the table of a large set or hash is.
    TableStats(&'a [u8]),
    /// Nothing: an element that is too long for a block of a list has one of its own anyway. Whether
    /// it could be meant.
    PackedThreshold(bool),
    /// Write and read again.
    Reload,
    /// Read again what is there already, or was never written: why not.
    NotReloaded(&'static str),
    /// What lies in the buffer of a small value.
    Listpack(&'a [u8]),
    /// Another name for the history of the keys.
    ChangeReplId,
    /// Patterns and texts made up by chance.
    MatchTest,
    /// No such word, or not with so many arguments.
    Unknown(&'a [u8]),
}

/// Keys to make.
#[derive(Clone)]
pub struct Populate<'a> {
    /// How many.
    pub count: u64,
    prefix: &'a [u8],
    value_len: Option<usize>,
}

impl Populate<'_> {
    /// Key and value number `number`.
    pub fn entry(&self, number: u64) -> (Vec<u8>, Vec<u8>) {
        let mut key = self.prefix.to_vec();
        key.extend_from_slice(format!(":{number}").as_bytes());
        let mut value = format!("value:{number}").into_bytes();
        if let Some(len) = self.value_len {
            value.resize(len, 0);
        }
        (key, value)
    }
}

/// How many words a subcommand takes after its own, at least and at most, and what it is for.
const HELP: &[(&str, usize, usize, &str, &str)] = &[
    ("CHANGE-REPL-ID", 0, 0, "", "Gives the history of the keys another name."),
    ("DIGEST", 0, 0, "", "Answers one number for all keys, whatever their order."),
    ("DIGEST-VALUE", 0, usize::MAX, "<key> [<key> ...]", "Answers a number for each value."),
    ("ERROR", 1, 1, "<string>", "Answers this error."),
    ("HELP", 0, 0, "", "Prints this help."),
    ("HTSTATS-KEY", 1, 2, "<key> [full]", "Shows the size of the table of a set or hash."),
    ("INSERT-HISTOGRAM", 0, 0, "", "Prints how long inserting new keys took inside the shards."),
    ("LISTPACK", 1, 1, "<key>", "Shows the elements of a value that is one packed buffer."),
    ("LOADAOF", 0, 0, "", "Reads the log again. There is none yet."),
    ("OBJECT", 1, 2, "<key>", "Shows how a key is kept."),
    ("PAUSE-CRON", 1, 1, "<0|1>", "Timeouts, background expiry and tidying up rest, or not."),
    ("POPULATE", 1, 3, "<count> [<prefix>] [<size>]", "Makes keys that are not there yet."),
    ("PROTOCOL", 1, 1, "<type>", "Answers a value of this type."),
    ("QUICKLIST-PACKED-THRESHOLD", 1, 1, "<size>", "Without effect: lists need no such limit."),
    (
        "RELOAD",
        0,
        usize::MAX,
        "[NOFLUSH MERGE]",
        "Writes every value as a snapshot would, and reads it back.",
    ),
    ("SET-ACTIVE-EXPIRE", 1, 1, "<0|1>", "Reclaims expired keys in the background, or not."),
    ("SET-DISABLE-DENY-SCRIPTS", 1, 1, "<0|1>", "Scripts may call any command, or not."),
    ("SET-SKIP-CHECKSUM-VALIDATION", 1, 1, "<0|1>", "RESTORE takes any checksum, or not."),
    ("SLEEP", 1, 1, "<seconds>", "Serves nobody for a while. Decimals are allowed."),
    ("STRINGMATCH-TEST", 0, 0, "", "Matches texts and patterns made up by chance."),
    ("TRACE", 0, 0, "", "Shows the way of the last requests that `trace-sample` took."),
];

/// Whether this is about all keys: then none may be away or halfway through being copied.
pub fn wants_all_keys(args: &Args<'_>) -> bool {
    let is =
        |name: &str| args.peek().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    is("RELOAD") || is("DIGEST") || is("POPULATE")
}

/// Prints the table.
pub fn help(reply: &mut dyn Reply) {
    reply.array(1 + HELP.len() * 2);
    reply.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (name, _, _, arguments, purpose) in HELP {
        reply.simple(format!("{name} {arguments}").trim_end());
        reply.simple(&format!("    {purpose}"));
    }
}

impl<'a> What<'a> {
    /// Reads it. Numbers are read as C reads them: what is none counts as 0, as in Redis.
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let word = args.bytes()?;
        let left = args.left();
        let known = HELP.iter().find(|(name, least, most, ..)| {
            word.eq_ignore_ascii_case(name.as_bytes()) && (*least..=*most).contains(&left)
        });
        let Some((name, ..)) = known else {
            args.rest();
            return Ok(Self::Unknown(word));
        };
        Ok(match *name {
            "DIGEST" => Self::Digest,
            "DIGEST-VALUE" => Self::DigestValue(args.rest()),
            "ERROR" => Self::Error(args.bytes()?),
            "HELP" => Self::Help,
            "HTSTATS-KEY" => {
                let key = args.bytes()?;
                args.rest();
                Self::TableStats(key)
            }
            "INSERT-HISTOGRAM" => Self::InsertHistogram,
            "OBJECT" => {
                let key = args.bytes()?;
                args.rest();
                Self::Object(key)
            }
            "POPULATE" => Self::Populate(populate(args)?),
            "TRACE" => Self::Trace,
            "PROTOCOL" => Self::Protocol(args.bytes()?),
            "QUICKLIST-PACKED-THRESHOLD" => Self::PackedThreshold(
                parse_memory(args.bytes()?).is_some_and(|bytes| bytes <= PACKED_MAX),
            ),
            "RELOAD" => reload(args),
            "CHANGE-REPL-ID" => Self::ChangeReplId,
            "LISTPACK" => Self::Listpack(args.bytes()?),
            "LOADAOF" => Self::NotReloaded(NO_LOG),
            "STRINGMATCH-TEST" => Self::MatchTest,
            "PAUSE-CRON" => Self::PauseCron(is_on(args)?),
            "SET-ACTIVE-EXPIRE" => Self::SetActiveExpire(is_on(args)?),
            "SET-DISABLE-DENY-SCRIPTS" => Self::ScriptsMayAll(is_on(args)?),
            "SET-SKIP-CHECKSUM-VALIDATION" => Self::SkipSums(is_on(args)?),
            "SLEEP" => {
                let seconds = parse_double(args.bytes()?).unwrap_or(0.0);
                Self::Sleep { ms: (seconds * 1_000.0).max(0.0) as u64 }
            }
            name => unreachable!("{name} is in the table and not read"),
        })
    }
}

fn is_on(args: &mut Args<'_>) -> Result<bool, ReplyError> {
    Ok(parse_int(args.bytes()?).is_some_and(|on| on != 0))
}

/// All is written first, unless it says otherwise, so whatever is read finds its key there.
fn reload<'a>(args: &mut Args<'a>) -> What<'a> {
    let (mut saves, mut flushes, mut merges) = (true, true, false);
    while args.left() > 0 {
        if args.word("NOSAVE") {
            saves = false;
        } else if args.word("NOFLUSH") {
            flushes = false;
        } else if args.word("MERGE") {
            merges = true;
        } else {
            args.rest();
            return What::NotReloaded(NO_OPTION);
        }
    }
    match (saves, flushes, merges) {
        (false, _, _) => What::NotReloaded(NO_SNAPSHOT),
        (true, false, false) => What::NotReloaded(ALL_THERE),
        (true, true, _) | (true, false, true) => What::Reload,
    }
}

fn populate<'a>(args: &mut Args<'a>) -> Result<Populate<'a>, ReplyError> {
    let positive = |text: &[u8]| {
        parse_int(text).and_then(|n| u64::try_from(n).ok()).ok_or(ReplyError::NotPositive)
    };
    let count = positive(args.bytes()?)?;
    let prefix = if args.left() > 0 { args.bytes()? } else { b"key" };
    let value_len = if args.left() > 0 { positive(args.bytes()?)? } else { 0 };
    if value_len > VALUE_LEN_MAX {
        return Err(ReplyError::StringTooLong);
    }
    Ok(Populate { count, prefix, value_len: (value_len > 0).then_some(value_len as usize) })
}

/// The longest value that POPULATE makes: that of a string.
const VALUE_LEN_MAX: u64 = 512 * 1024 * 1024;
