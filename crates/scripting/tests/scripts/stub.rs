//! A host without a server, and replies as text.

use stoa_scripting::{
    Called, Host, Item, LogLevel, Outcome, Reader, Scripting, Sink, Stop, Tape, Tick,
};

/// Answers a few words, and ends what runs too long.
#[derive(Default)]
pub struct Stub {
    /// Looks at the world until it ends the script; None: never.
    pub patience: Option<u32>,
    /// Ends the script at the next command.
    pub stop: Option<Stop>,
    /// Pauses at every look.
    pub pauses: bool,
    /// The next command has to wait.
    pub waits: bool,
    /// Commands so far.
    pub calls: u32,
}

impl Host for Stub {
    fn call(&mut self, argv: &[&[u8]], _: bool, reply: &mut Tape) -> Result<Called, Stop> {
        if std::mem::take(&mut self.waits) {
            return Ok(Called::Waits);
        }
        self.calls += 1;
        match (self.stop, argv[0]) {
            (Some(stop), _) => return Err(stop),
            (None, b"ping") => reply.status(b"PONG"),
            (None, b"echo") => reply.bulk(argv[1]),
            (None, b"map") => {
                reply.map(1);
                reply.bulk(b"k");
                reply.double(0.5);
            }
            (None, b"set") => {
                reply.set(1);
                reply.bulk(b"m");
            }
            (None, b"null") => reply.null(),
            (None, b"true") => reply.boolean(true),
            (None, b"big") => reply.big_number(b"12345678901234567890"),
            (None, b"text") => reply.verbatim(b"txt", b"words"),
            (None, _) => reply.error(b"ERR no such command here"),
        }
        Ok(Called::Answered)
    }

    fn permits(&mut self, _: &[&[u8]]) -> Option<bool> {
        Some(true)
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn clock_us(&mut self) -> u64 {
        0
    }

    fn tick(&mut self) -> Result<Tick, Stop> {
        match &mut self.patience {
            None if self.pauses => Ok(Tick::Pause),
            None => Ok(Tick::Go),
            Some(0) => Err(Stop::Killed),
            Some(left) => {
                *left -= 1;
                Ok(if self.pauses { Tick::Pause } else { Tick::Go })
            }
        }
    }
}

/// Scripts of a shard in a test.
pub fn scripting() -> Scripting {
    Scripting::new("7.4.0", 1)
}

/// Runs a script; gives its reply as text.
pub fn eval(scripting: &mut Scripting, host: &mut Stub, text: &[u8]) -> String {
    let found = match scripting.script(text) {
        Ok(found) => found,
        Err(error) => return format!("-{}", String::from_utf8_lossy(&error)),
    };
    let mut tape = Tape::default();
    let mut outcome = scripting.run(&found, &[b"key"], &[b"arg"], host, &mut tape);
    while outcome == Outcome::Paused {
        outcome = scripting.resume(host, &mut tape);
    }
    shown(&mut tape.read())
}

/// The next value as text.
pub fn shown(reader: &mut Reader<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match reader.item() {
        None => String::new(),
        Some(Item::Status(bytes)) => format!("+{}", text(bytes)),
        Some(Item::Error(bytes)) => format!("-{}", text(bytes)),
        Some(Item::CountedError(bytes)) => format!("!{}", text(bytes)),
        Some(Item::Int(value)) => value.to_string(),
        Some(Item::Bulk(bytes)) => format!("\"{}\"", text(bytes)),
        Some(Item::Null | Item::NullArray) => "nil".to_owned(),
        Some(Item::Array(len)) => list(reader, len, "[", "]"),
        Some(Item::Map(len)) => list(reader, len * 2, "{", "}"),
        Some(Item::Set(len)) => list(reader, len, "<", ">"),
        Some(Item::Double(value)) => format!(",{value}"),
        Some(Item::Boolean(value)) => format!("#{value}"),
        Some(Item::BigNumber(digits)) => format!("({}", text(digits)),
        Some(Item::Verbatim(format, bytes)) => format!("={}:{}", text(format), text(bytes)),
    }
}

fn list(reader: &mut Reader<'_>, len: usize, open: &str, close: &str) -> String {
    let all: Vec<String> = (0..len).map(|_| shown(reader)).collect();
    format!("{open}{}{close}", all.join(" "))
}
