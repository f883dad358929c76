//! SORT and SORT_RO: the elements of a list, set or sorted set in an order, or what they point to.
//!
//! BY and GET make up keys from the elements. Those are not declared; on several shards the command
//! then runs where all keys are, as a script does that asks for such a key.

use std::cmp::Ordering;

use stoa_command::{
    Args, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeyFlags, KeyPositions, KeySpec,
    ReplyError, Spec,
};
use stoa_config::EventClass as Class;
use stoa_engine::{Command, Ctx, Reply};
use stoa_keyspace::Ttl;
use stoa_stdx::parse_double;
use stoa_value::{End, Hash, List, ObjectRef, Str};

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE key]`
pub struct Sort;

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA]`
pub struct SortRo;

/// The arguments of both.
#[derive(Clone)]
pub struct SortArgs<'a> {
    key: &'a [u8],
    by: Option<&'a [u8]>,
    offset: i64,
    count: i64,
    gets: Vec<&'a [u8]>,
    descending: bool,
    alpha: bool,
    store: Option<&'a [u8]>,
}

/// What no key spec says: made up from elements, or behind a word.
const UNKNOWN: KeySpec =
    KeySpec { begin: BeginSearch::Unknown, find: FindKeys::Unknown, flags: KeyFlags::NONE };

const OW: KeyFlags = KeyFlags::OW.with(KeyFlags::UPDATE);
const RO: KeyFlags = KeyFlags::RO.with(KeyFlags::ACCESS);

const SORT: Spec = Spec {
    name: "sort",
    summary: "Returns or stores the elements of a list, set or sorted set in an order.",
    group: Group::Generic,
    complexity: "O(N+M*log(M)) in the number of elements and of those returned.",
    syntax: "key [BY by-pattern:pattern] [LIMIT offset count] [GET get-pattern:pattern]... \
             [order: ASC | DESC] [ALPHA] [STORE destination]",
    arity: Arity(-2),
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::MOVABLE_KEYS),
    categories: &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous],
    keys: &[KeySpec::first(RO), KeySpec { flags: RO, ..UNKNOWN }, KeySpec { flags: OW, ..UNKNOWN }],
    more_keys: Some(destination),
    ..Spec::DEFAULT
};

/// The key behind the last STORE that is an option.
fn destination(args: &Args<'_>, into: &mut KeyPositions) {
    let mut found = None;
    let mut at = 2;
    while let Some(word) = args.at(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("STORE") && at + 1 < args.argc() {
            found = Some(at + 1);
        }
        at += if is("LIMIT") {
            3
        } else if is("STORE") || is("BY") || is("GET") {
            2
        } else {
            1
        };
    }
    found.into_iter().for_each(|at| into.push(at, OW));
}

impl Command for Sort {
    const SPEC: Spec = SORT;

    type Args<'a> = SortArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SortArgs<'a>, ReplyError> {
        parse(args, true)
    }

    fn execute(
        args: SortArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (elements, shown) = sorted(&args, ctx)?;
        let Some(to) = args.store else {
            let each = args.gets.len().max(1);
            reply.array(shown.len() * each);
            for element in &elements[shown] {
                for value in values(element, &args.gets, ctx)? {
                    match value {
                        Some(value) => reply.bulk(&value),
                        None => reply.null(),
                    }
                }
            }
            return Ok(());
        };
        let rules = ctx.rules();
        let mut list = List::default();
        for element in &elements[shown] {
            for value in values(element, &args.gets, ctx)? {
                let value = value.unwrap_or_default();
                list.expect(&[&value], &rules);
                list.push(End::Back, &value, &rules);
            }
        }
        store(to, list, ctx, reply);
        Ok(())
    }
}

impl Command for SortRo {
    const SPEC: Spec = Spec {
        name: "sort_ro",
        summary: "Returns the elements of a list, set or sorted set in an order.",
        since: "7.0.0",
        syntax: "key [BY by-pattern:pattern] [LIMIT offset count] [GET get-pattern:pattern]... \
                 [order: ASC | DESC] [ALPHA]",
        flags: Flags::READONLY.with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::first(RO), KeySpec { flags: RO, ..UNKNOWN }],
        more_keys: None,
        ..SORT
    };

    type Args<'a> = SortArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SortArgs<'a>, ReplyError> {
        parse(args, false)
    }

    fn execute(
        args: SortArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        Sort::execute(args, ctx, reply)
    }
}

fn parse<'a>(args: &mut Args<'a>, may_store: bool) -> Result<SortArgs<'a>, ReplyError> {
    let mut sort = SortArgs {
        key: args.bytes()?,
        by: None,
        offset: 0,
        count: -1,
        gets: Vec::new(),
        descending: false,
        alpha: false,
        store: None,
    };
    while args.left() > 0 {
        let behind = args.left() - 1;
        if args.word("ASC") {
            sort.descending = false;
        } else if args.word("DESC") {
            sort.descending = true;
        } else if args.word("ALPHA") {
            sort.alpha = true;
        } else if behind >= 2 && args.word("LIMIT") {
            (sort.offset, sort.count) = (args.int()?, args.int()?);
        } else if behind >= 1 && may_store && args.word("STORE") {
            sort.store = Some(args.bytes()?);
        } else if behind >= 1 && args.word("BY") {
            sort.by = Some(args.bytes()?);
        } else if behind >= 1 && args.word("GET") {
            sort.gets.push(args.bytes()?);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(sort)
}

/// All elements in the order wanted, and which of them are.
fn sorted(
    args: &SortArgs<'_>,
    ctx: &mut Ctx<'_>,
) -> Result<(Vec<Vec<u8>>, std::ops::Range<usize>), ReplyError> {
    let key = ctx.key(args.key);
    let mut is_set = false;
    let mut elements: Vec<Vec<u8>> = match ctx.db().get(&key).map(|entry| entry.object()) {
        None => Vec::new(),
        Some(Some(ObjectRef::List(list))) => list.iter().map(|text| text.to_vec()).collect(),
        Some(Some(ObjectRef::Set(set))) => {
            is_set = true;
            set.iter().map(|text| text.to_vec()).collect()
        }
        Some(Some(ObjectRef::SortedSet(set))) => {
            set.iter().map(|(text, _)| text.to_vec()).collect()
        }
        Some(Some(ObjectRef::Hash(_) | ObjectRef::Stream(_)) | None) => {
            return Err(ReplyError::WrongType);
        }
    };
    let shown = range(args, elements.len());
    let constant = args.by.is_some_and(|by| !by.contains(&b'*'));
    if constant && is_set && (args.store.is_some() || ctx.node.scripts.is_running) {
        // What is stored, or what a script does with it, must not depend on how the set is kept.
        order(&mut elements, &SortArgs { by: None, alpha: true, ..args.clone() }, ctx)?;
    } else if !constant {
        order(&mut elements, args, ctx)?;
    } else if args.descending && !is_set {
        elements.reverse();
    }
    Ok((elements, shown))
}

/// The part that LIMIT says.
fn range(args: &SortArgs<'_>, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(args.offset).unwrap_or(0).min(len);
    let count = usize::try_from(args.count).unwrap_or(len).min(len);
    start..start.saturating_add(count).min(len)
}

/// What an element is compared by.
enum Weight {
    Score(f64),
    /// A value that BY found.
    Text(Option<Vec<u8>>),
    Itself,
}

fn order(
    elements: &mut Vec<Vec<u8>>,
    args: &SortArgs<'_>,
    ctx: &mut Ctx<'_>,
) -> Result<(), ReplyError> {
    let mut rows = Vec::with_capacity(elements.len());
    for element in std::mem::take(elements) {
        let weight = match (args.alpha, args.by) {
            (true, None) => Weight::Itself,
            (true, Some(by)) => Weight::Text(look_up(by, &element, ctx)?),
            (false, None) => Weight::Score(score(&element)?),
            (false, Some(by)) => {
                let found = look_up(by, &element, ctx)?;
                Weight::Score(found.map_or(Ok(0.0), |value| score(&value))?)
            }
        };
        rows.push((weight, element));
    }
    rows.sort_by(|a, b| {
        let ordering = compare(a, b, args.store.is_some());
        if args.descending { ordering.reverse() } else { ordering }
    });
    elements.extend(rows.into_iter().map(|(_, element)| element));
    Ok(())
}

/// Texts whose order is only shown are compared as C strings: behind a zero byte they are the same. What
/// is stored is in the order of all bytes.
fn compare(a: &(Weight, Vec<u8>), b: &(Weight, Vec<u8>), stored: bool) -> Ordering {
    match (&a.0, &b.0) {
        (Weight::Score(x), Weight::Score(y)) => {
            x.partial_cmp(y).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(&b.1))
        }
        // Nothing comes before anything.
        (Weight::Text(x), Weight::Text(y)) => {
            let [x, y] = [x, y].map(|text| text.as_deref().map(|text| seen(text, stored)));
            x.cmp(&y)
        }
        _ => seen(&a.1, stored).cmp(seen(&b.1, stored)),
    }
}

fn seen(text: &[u8], stored: bool) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0 && !stored);
    &text[..end.unwrap_or(text.len())]
}

/// A number as `strtod` reads a C string: nothing is 0, and after a zero byte there is nothing.
fn score(text: &[u8]) -> Result<f64, ReplyError> {
    const NO_SCORE: ReplyError =
        ReplyError::Text("ERR One or more scores can't be converted into double");
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    parse_double(text.trim_ascii_start()).ok_or(NO_SCORE)
}

/// What is answered for an element.
fn values(
    element: &[u8],
    gets: &[&[u8]],
    ctx: &mut Ctx<'_>,
) -> Result<Vec<Option<Vec<u8>>>, ReplyError> {
    if gets.is_empty() {
        return Ok(vec![Some(element.to_vec())]);
    }
    gets.iter().map(|pattern| look_up(pattern, element, ctx)).collect()
}

/// The value that a pattern leads to from an element: a string, or a field of a hash.
fn look_up(
    pattern: &[u8],
    element: &[u8],
    ctx: &mut Ctx<'_>,
) -> Result<Option<Vec<u8>>, ReplyError> {
    if pattern == b"#" {
        return Ok(Some(element.to_vec()));
    }
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return Ok(None) };
    let behind = &pattern[star + 1..];
    let arrow = behind.windows(2).position(|pair| pair == b"->");
    let field = arrow.map(|arrow| &behind[arrow + 2..]).filter(|field| !field.is_empty());
    let end = field.and(arrow).unwrap_or(behind.len());
    let name = [&pattern[..star], element, &behind[..end]].concat();
    if !ctx.reach(&name) {
        // Nobody hears it.
        return Err(ReplyError::Text("ERR this key is not at hand"));
    }
    let key = ctx.key(&name);
    let mut db = ctx.db();
    let Some(entry) = db.get(&key) else { return Ok(None) };
    Ok(match field {
        None => entry.string().ok().map(|text| text.to_vec()),
        Some(field) => {
            let hash = entry.read::<Hash>().ok();
            hash.and_then(|hash| hash.get(field)).map(|value: Str<'_>| value.to_vec())
        }
    })
}

fn store(to: &[u8], list: List, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) {
    let key = ctx.key(to);
    let len = list.len();
    reply.int(len as i64);
    if len > 0 {
        ctx.db().set_object(&key, list, Ttl::Clear);
        ctx.notify(Class::List, "sortstore", to);
        ctx.changed(len as u64);
    } else if ctx.db().remove(&key) {
        ctx.notify(Class::Generic, "del", to);
        ctx.changed(1);
    }
}
