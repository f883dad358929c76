//! Lists: pushed to and popped from either end, read by place.

mod block;
mod index;
mod insert;
mod len;
mod mpop;
mod place;
mod pop;
mod pos;
mod push;
mod range;
mod relay;
mod rem;

use stoa_command::{Category, Group, KeyFlags, KeySpec, Spec};
use stoa_config::EventClass as Class;
use stoa_engine::{Ctx, Entry, entry};
use stoa_value::End;

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<block::BLMove>(),
    entry::<block::BLMPop>(),
    entry::<block::BLPop>(),
    entry::<block::BRPop>(),
    entry::<block::BRPopLPush>(),
    entry::<index::LIndex>(),
    entry::<insert::LInsert>(),
    entry::<len::LLen>(),
    entry::<relay::LMove>(),
    entry::<mpop::LMPop>(),
    entry::<pop::LPop>(),
    entry::<pos::LPos>(),
    entry::<push::LPush>(),
    entry::<push::LPushX>(),
    entry::<range::LRange>(),
    entry::<rem::LRem>(),
    entry::<index::LSet>(),
    entry::<range::LTrim>(),
    entry::<pop::RPop>(),
    entry::<relay::RPopLPush>(),
    entry::<push::RPush>(),
    entry::<push::RPushX>(),
];

const LIST: Spec = Spec {
    group: Group::List,
    categories: &[Category::List],
    keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
    ..Spec::DEFAULT
};

/// Both ends by their words.
const ENDS: &[(&str, End)] = &[("LEFT", End::Front), ("RIGHT", End::Back)];

/// Says that elements were popped, and the key with them if they were the last.
fn popped(ctx: &mut Ctx<'_>, key: &[u8], end: End, is_empty: bool) {
    ctx.notify(Class::List, if end == End::Front { "lpop" } else { "rpop" }, key);
    if is_empty {
        ctx.notify(Class::Generic, "del", key);
    }
}

/// Says that elements were pushed.
fn pushed(ctx: &mut Ctx<'_>, key: &[u8], end: End) {
    ctx.notify(Class::List, if end == End::Front { "lpush" } else { "rpush" }, key);
}
