//! Numbers of databases as COPY and MOVE take them.

use stoa_command::{Args, ReplyError};
use stoa_engine::Ctx;
use stoa_stdx::DbIndex;

/// The key would be its own copy.
pub(super) const SAME: ReplyError =
    ReplyError::Text("ERR source and destination objects are the same");

/// What a number that fits no machine integer is answered.
const NOT_INT: ReplyError =
    ReplyError::Text("ERR value is out of range, value must between -2147483648 and 2147483647");

/// Reads a number, which need not be a database's.
pub(super) fn number(args: &mut Args<'_>) -> Result<i32, ReplyError> {
    i32::try_from(args.int()?).map_err(|_| NOT_INT)
}

/// The database of that number.
pub(super) fn index(number: i32, ctx: &Ctx<'_>) -> Result<DbIndex, ReplyError> {
    u16::try_from(number)
        .ok()
        .filter(|index| *index < ctx.keyspace.database_count())
        .map(DbIndex)
        .ok_or(ReplyError::DbOutOfRange)
}
