//! The expiration options that SET and GETEX share, read without judging the number: both refuse a
//! malformed list first, and GETEX looks at its key before it looks at the number.

use stoa_command::{Args, ReplyError};

use crate::ttl::{Unit, Written};

/// What the options say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Nothing.
    Nothing,
    /// KEEPTTL of SET, PERSIST of GETEX.
    Alone,
    /// A number in a unit.
    Number(&'a [u8], Unit),
}

impl<'a> Said<'a> {
    /// Reads one option: the word that stands `alone`, or a unit and its number. A unit may be
    /// repeated, and the last number counts; different options exclude each other.
    pub(super) fn read(&mut self, args: &mut Args<'a>, alone: &str) -> Result<(), ReplyError> {
        let next = if args.word(alone) {
            Said::Alone
        } else {
            let unit = args.choice(&[
                ("EX", Unit::EX),
                ("PX", Unit::PX),
                ("EXAT", Unit::EXAT),
                ("PXAT", Unit::PXAT),
            ])?;
            Said::Number(args.bytes()?, unit)
        };
        let agree = match (*self, next) {
            (Said::Nothing, _) | (Said::Alone, Said::Alone) => true,
            (Said::Number(_, before), Said::Number(_, after)) => before == after,
            (Said::Alone | Said::Number(..), _) => false,
        };
        *self = next;
        if agree { Ok(()) } else { Err(ReplyError::Syntax) }
    }

    /// The deadline, if one is said.
    pub(super) fn written(self, command: &'static str) -> Result<Option<Written>, ReplyError> {
        match self {
            Said::Nothing | Said::Alone => Ok(None),
            Said::Number(text, unit) => Written::positive(text, unit, command).map(Some),
        }
    }
}
