//! GEOSEARCH and its older forms: members inside a circle or a box.
//!
//! A shape is covered by a few cells, each a range of scores; what lies in those ranges is measured
//! one by one.

use stoa_command::{
    Args, Arity, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, ReplyError, Spec,
};
use stoa_engine::{Ctx, Reply};
use stoa_value::SortedSet;

use super::cell::point_of;
use super::shape::{Extent, Shape};
use super::{Point, READS, Wrong, reading, reply_distance, reply_point};
use crate::define::define;

const OLD: Spec = Spec { complexity: "O(N+log(M)), N members near the shape, M inside.", ..READS };

const fn stored(word: &'static str, from: i32) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword(word, from),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::OW.with(KeyFlags::UPDATE),
    }
}

const READ_KEY: KeySpec = KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS));
const STORE_FLAGS: Flags = Flags::WRITE.with(Flags::DENYOOM);

define! { "`GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]`",
GeoRadius, SearchArgs, |args| parse(args, Form::Radius { stores: true }), execute, Spec {
    name: "georadius",
    summary: "Returns or stores the members inside a circle around a point.",
    deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
    syntax: "key longitude:double latitude:double radius:double (unit: M | KM | FT | MI) \
             [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT count:integer [ANY]] \
             [order: ASC | DESC] [store: STORE storekey:key | STOREDIST storedistkey:key]",
    arity: Arity(-6),
    flags: STORE_FLAGS.with(Flags::MOVABLE_KEYS),
    keys: &[READ_KEY, stored("STORE", 6), stored("STOREDIST", 6)],
    ..OLD
}}

define! { "`GEORADIUS_RO key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]`",
GeoRadiusRo, SearchArgs, |args| parse(args, Form::Radius { stores: false }), execute, Spec {
    name: "georadius_ro",
    summary: "Returns the members inside a circle around a point.",
    since: "3.2.10",
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
    syntax: "key longitude:double latitude:double radius:double (unit: M | KM | FT | MI) \
             [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT count:integer [ANY]] \
             [order: ASC | DESC]",
    arity: Arity(-6),
    ..OLD
}}

define! { "`GEORADIUSBYMEMBER key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]`",
GeoRadiusByMember, SearchArgs, |args| parse(args, Form::ByMember { stores: true }), execute, Spec {
    name: "georadiusbymember",
    summary: "Returns or stores the members inside a circle around another.",
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    syntax: "key member radius:double (unit: M | KM | FT | MI) \
             [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT count:integer [ANY]] \
             [order: ASC | DESC] [store: STORE storekey:key | STOREDIST storedistkey:key]",
    arity: Arity(-5),
    flags: STORE_FLAGS.with(Flags::MOVABLE_KEYS),
    keys: &[READ_KEY, stored("STORE", 5), stored("STOREDIST", 5)],
    ..OLD
}}

define! { "`GEORADIUSBYMEMBER_RO key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]`",
GeoRadiusByMemberRo, SearchArgs, |args| parse(args, Form::ByMember { stores: false }), execute, Spec {
    name: "georadiusbymember_ro",
    summary: "Returns the members inside a circle around another.",
    since: "3.2.10",
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
    syntax: "key member radius:double (unit: M | KM | FT | MI) \
             [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT count:integer [ANY]] \
             [order: ASC | DESC]",
    arity: Arity(-5),
    ..OLD
}}

define! { "`GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`",
GeoSearch, SearchArgs, |args| parse(args, Form::Search { stores: false }), execute, Spec {
    name: "geosearch",
    summary: "Returns the members inside a circle or a box.",
    since: "6.2.0",
    syntax: "key (from: FROMMEMBER member | FROMLONLAT longitude:double latitude:double) \
             (by: BYRADIUS radius:double (unit: M | KM | FT | MI) | \
             BYBOX width:double height:double (unit: M | KM | FT | MI)) \
             [order: ASC | DESC] [count-block: COUNT count:integer [ANY]] \
             [WITHCOORD] [WITHDIST] [WITHHASH]",
    arity: Arity(-7),
    ..OLD
}}

define! { "`GEOSEARCHSTORE destination source FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit [ASC | DESC] [COUNT count [ANY]] [STOREDIST]`",
GeoSearchStore, SearchArgs, |args| parse(args, Form::Search { stores: true }), execute, Spec {
    name: "geosearchstore",
    summary: "Stores the members inside a circle or a box.",
    since: "6.2.0",
    syntax: "destination source \
             (from: FROMMEMBER member | FROMLONLAT longitude:double latitude:double) \
             (by: BYRADIUS radius:double (unit: M | KM | FT | MI) | \
             BYBOX width:double height:double (unit: M | KM | FT | MI)) \
             [order: ASC | DESC] [count-block: COUNT count:integer [ANY]] [STOREDIST]",
    arity: Arity(-8),
    flags: STORE_FLAGS,
    keys: &[
        KeySpec::first(KeyFlags::OW.with(KeyFlags::UPDATE)),
        KeySpec::range(2, 0, 1, KeyFlags::RO.with(KeyFlags::ACCESS)),
    ],
    ..OLD
}}

/// Which of the commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Radius { stores: bool },
    ByMember { stores: bool },
    Search { stores: bool },
}

/// The arguments of all of them.
pub struct SearchArgs<'a> {
    key: &'a [u8],
    is_search: bool,
    early: Early<'a>,
    /// Judged behind the key's type.
    search: Result<Search<'a>, Wrong>,
}

/// What is judged first of all when there is a set, and not at all when there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Early<'a> {
    /// Whether it is there.
    member: Option<&'a [u8]>,
    /// What is wrong with the circle around it.
    area: Option<ReplyError>,
}

struct Search<'a> {
    middle: Middle<'a>,
    extent: Extent,
    unit_m: f64,
    options: Options<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Middle<'a> {
    Point(Point),
    Member(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent options of the command")]
struct Options<'a> {
    with_distance: bool,
    with_hash: bool,
    with_point: bool,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
    into: Option<&'a [u8]>,
    stores_distance: bool,
}

fn parse<'a>(args: &mut Args<'a>, form: Form) -> Result<SearchArgs<'a>, ReplyError> {
    let is_search = matches!(form, Form::Search { .. });
    let into = if form == (Form::Search { stores: true }) { Some(args.bytes()?) } else { None };
    let key = args.bytes()?;
    let mut early = Early::default();
    let search = parse_search(args, form, into, &mut early);
    Ok(SearchArgs { key, is_search, early, search })
}

fn parse_search<'a>(
    args: &mut Args<'a>,
    form: Form,
    into: Option<&'a [u8]>,
    early: &mut Early<'a>,
) -> Result<Search<'a>, Wrong> {
    let (mut middle, mut by) = match form {
        Form::Radius { .. } => {
            let point = reading::point(args)?;
            (Some(Middle::Point(point)), Some(reading::circle(args)?))
        }
        Form::ByMember { .. } => {
            let name = args.bytes()?;
            early.member = Some(name);
            let circle = reading::circle(args);
            early.area = circle.err();
            let nowhere = (Extent::Circle { radius: 0.0 }, 1.0);
            (Some(Middle::Member(name)), Some(circle.unwrap_or(nowhere)))
        }
        Form::Search { .. } => (None, None),
    };
    let mut options = Options { into, ..Options::default() };
    while args.left() > 0 {
        let is_read = parse_option(args, form, &mut options)?
            || matches!(form, Form::Search { .. }) && parse_area(args, &mut middle, &mut by)?;
        if let Some(Middle::Member(name)) = middle {
            early.member = Some(name);
        }
        if !is_read {
            return Err(ReplyError::Syntax.into());
        }
    }
    let name = String::from_utf8_lossy(args.at(0).unwrap_or_default());
    if options.into.is_some() && (options.with_distance || options.with_hash || options.with_point)
    {
        let what = match form {
            Form::Search { .. } => "GEOSEARCHSTORE",
            Form::Radius { .. } | Form::ByMember { .. } => "STORE option in GEORADIUS",
        };
        return Err(Wrong::Text(format!(
            "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        )));
    }
    let middle = middle.ok_or_else(|| {
        Wrong::Text(format!(
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
        ))
    })?;
    let (extent, unit_m) = by.ok_or_else(|| {
        Wrong::Text(format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"))
    })?;
    if options.any && options.count.is_none() {
        return Err(ReplyError::Text("ERR the ANY argument requires COUNT argument").into());
    }
    Ok(Search { middle, extent, unit_m, options })
}

/// Reads an option that all forms have; false when the next word is none.
fn parse_option<'a>(
    args: &mut Args<'a>,
    form: Form,
    options: &mut Options<'a>,
) -> Result<bool, ReplyError> {
    let has_value = args.left() > 1;
    if args.word("WITHDIST") {
        options.with_distance = true;
    } else if args.word("WITHHASH") {
        options.with_hash = true;
    } else if args.word("WITHCOORD") {
        options.with_point = true;
    } else if args.word("ANY") {
        options.any = true;
    } else if args.word("ASC") {
        options.order = Some(Order::Nearest);
    } else if args.word("DESC") {
        options.order = Some(Order::Farthest);
    } else if has_value && args.word("COUNT") {
        let count = args.int()?;
        if count <= 0 {
            return Err(ReplyError::Text("ERR COUNT must be > 0"));
        }
        options.count = Some(count as usize);
    } else {
        let stores = match form {
            Form::Radius { stores } | Form::ByMember { stores } => stores,
            Form::Search { stores } => {
                let found = stores && args.word("STOREDIST");
                options.stores_distance |= found;
                return Ok(found);
            }
        };
        if stores && has_value && args.word("STORE") {
            options.stores_distance = false;
        } else if stores && has_value && args.word("STOREDIST") {
            options.stores_distance = true;
        } else {
            return Ok(false);
        }
        options.into = Some(args.bytes()?);
    }
    Ok(true)
}

/// Reads what GEOSEARCH says about middle or extent; false when the next word is none of it.
fn parse_area<'a>(
    args: &mut Args<'a>,
    middle: &mut Option<Middle<'a>>,
    by: &mut Option<(Extent, f64)>,
) -> Result<bool, Wrong> {
    let left = args.left();
    let from_point = matches!(middle, Some(Middle::Point(_)));
    let from_member = matches!(middle, Some(Middle::Member(_)));
    let is_circle = matches!(by, Some((Extent::Circle { .. }, _)));
    let is_box = matches!(by, Some((Extent::Box { .. }, _)));
    if left > 1 && !from_point && args.word("FROMMEMBER") {
        *middle = Some(Middle::Member(args.bytes()?));
    } else if left > 2 && !from_member && args.word("FROMLONLAT") {
        *middle = Some(Middle::Point(reading::point(args)?));
    } else if left > 2 && !is_box && args.word("BYRADIUS") {
        *by = Some(reading::circle(args)?);
    } else if left > 3 && !is_circle && args.word("BYBOX") {
        *by = Some(reading::rectangle(args)?);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// A member that was found.
struct Hit {
    member: Vec<u8>,
    score: f64,
    point: Point,
    distance_m: f64,
}

/// The members inside a shape, in the order of cells and scores; no more than `limit`.
fn hits(set: &SortedSet, shape: &Shape, limit: usize) -> Vec<Hit> {
    let mut found = Vec::new();
    for cell in shape.cells() {
        let (min, end) = cell.scores();
        let from = set.count_before_score(|score| score < min);
        let to = set.count_before_score(|score| score < end);
        for (member, score) in set.range(from, to.max(from), false) {
            if found.len() >= limit {
                return found;
            }
            let point = point_of(score);
            if let Some(distance_m) = shape.distance_inside_m(point) {
                found.push(Hit { member: member.to_vec(), score, point, distance_m });
            }
        }
    }
    found
}

fn execute(
    args: SearchArgs<'_>,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    let set = ctx.read::<SortedSet>(args.key)?;
    let missing = ReplyError::Text("ERR could not decode requested zset member");
    if let Some(set) = set {
        if let Some(member) = args.early.member {
            set.score(member).ok_or(missing)?;
        }
        args.early.area.map_or(Ok(()), Err)?;
    }
    let search = match args.search {
        Ok(search) => search,
        Err(wrong) => return wrong.answer(reply),
    };
    let options = search.options;
    let (mut found, unit_m) = (Vec::new(), search.unit_m);
    if let Some(set) = set {
        let middle = match search.middle {
            Middle::Point(point) => point,
            Middle::Member(member) => point_of(set.score(member).ok_or(missing)?),
        };
        let limit = if options.any { options.count } else { None };
        let shape = Shape { middle, extent: search.extent, unit_m };
        found = hits(set, &shape, limit.unwrap_or(usize::MAX));
    }
    // The first so many without an order would be anywhere: the nearest are meant.
    let nearest = options.count.filter(|_| !options.any).map(|_| Order::Nearest);
    match options.order.or(nearest) {
        Some(Order::Nearest) => found.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
        Some(Order::Farthest) => found.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m)),
        None => {}
    }
    found.truncate(options.count.unwrap_or(usize::MAX));
    match options.into {
        Some(into) => {
            reply.int(found.len() as i64);
            store(found, into, unit_m, args.is_search, &options, ctx);
        }
        None => {
            reply.array(found.len());
            for hit in found {
                reply_hit(&hit, unit_m, &options, reply);
            }
        }
    }
    Ok(())
}

fn reply_hit(hit: &Hit, unit_m: f64, options: &Options<'_>, reply: &mut dyn Reply) {
    let extras = [options.with_distance, options.with_hash, options.with_point];
    let extra_count = extras.iter().filter(|wanted| **wanted).count();
    if extra_count > 0 {
        reply.array(extra_count + 1);
    }
    reply.bulk(&hit.member);
    if options.with_distance {
        reply_distance(hit.distance_m / unit_m, reply);
    }
    if options.with_hash {
        reply.int(hit.score as i64);
    }
    if options.with_point {
        reply_point(hit.point, reply);
    }
}

/// Stores what was found under another key, by place or by distance.
fn store(
    found: Vec<Hit>,
    into: &[u8],
    unit_m: f64,
    is_search: bool,
    options: &Options<'_>,
    ctx: &mut Ctx<'_>,
) {
    let (rules, into) = (ctx.rules(), ctx.key(into));
    let mut set = SortedSet::default();
    for hit in &found {
        let score = if options.stores_distance { hit.distance_m / unit_m } else { hit.score };
        set.insert(&hit.member, score, &rules);
    }
    let event = if is_search { "geosearchstore" } else { "georadiusstore" };
    crate::sorted_set::store(set, event, &into, ctx);
    // Stored members count one each, where other stores count as one.
    ctx.changed((found.len() as u64).saturating_sub(1));
}
