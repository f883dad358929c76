//! `FIELDS numfields field [field ...]`, which ends the commands about deadlines of fields.

use stoa_command::{Args, ReplyError};

/// The fields; `FIELDS` must come next.
pub(super) fn fields<'a>(
    args: &mut Args<'a>,
    few: ReplyError,
) -> Result<&'a [&'a [u8]], ReplyError> {
    const NO_FIELDS: ReplyError =
        ReplyError::Text("ERR Mandatory argument FIELDS is missing or not at the right position");
    const NO_MATCH: ReplyError =
        ReplyError::Text("ERR The `numfields` parameter must match the number of arguments");
    if !args.word("FIELDS") {
        return Err(NO_FIELDS);
    }
    let count = args.int_in(1..=i64::MAX, few)?;
    let fields = args.rest();
    if fields.len() as u64 == count as u64 { Ok(fields) } else { Err(NO_MATCH) }
}
