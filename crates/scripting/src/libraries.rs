//! The libraries that scripts find besides Lua's own: cjson, cmsgpack, struct and bit.

use mlua::{Lua, Result, Table};

use crate::room::Shared;

/// Adds them by name.
pub(crate) fn add(lua: &Lua, shared: &Shared, all: &Table) -> Result<()> {
    all.raw_set("cjson", crate::cjson::module(lua, &shared.cjson)?)?;
    all.raw_set("cmsgpack", crate::msgpack::module(lua)?)?;
    all.raw_set("struct", crate::packed::module(lua)?)?;
    all.raw_set("bit", crate::bit::module(lua)?)
}
