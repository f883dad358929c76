//! What one client does: calls, and time that passes between them.

use std::fmt::Write;

use stoa_stdx::Rng;

use crate::Grammar;

/// Stands for the cursor that the client's last SCAN answered; `0` before the first.
pub const LAST_CURSOR: &[u8] = b"<cursor>";

/// One step of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A request.
    Call(Vec<Vec<u8>>),
    /// Time passes, milliseconds.
    Wait(u64),
}

/// Steps in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program(pub Vec<Item>);

impl Program {
    /// A random program of `len` steps.
    pub fn random(grammar: &Grammar, len: usize, rng: &mut Rng) -> Self {
        let pool = grammar.pool(rng);
        let mut items: Vec<Item> = Vec::new();
        if rng.one_in(5) {
            items.push(Item::Call(fill(1 + rng.below(60))));
        }
        let mut queues = false;
        items.extend((0..len).map(|_| {
            if rng.one_in(12) {
                Item::Wait(*rng.pick(&[1, 10, 49, 50, 51, 999, 1_000, 1_001, 5_000, 100_000]))
            } else if queues && rng.one_in(4) {
                queues = false;
                let end: &[u8] = if rng.one_in(5) { b"DISCARD" } else { b"EXEC" };
                Item::Call(vec![end.to_vec()])
            } else {
                let call = grammar.call(&pool, rng);
                // By chance alone hardly any transaction would come to its end.
                queues |= call[0].eq_ignore_ascii_case(b"multi");
                Item::Call(call)
            }
        }));
        Self(items)
    }

    /// As one would type it, a line a step.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.0 {
            match item {
                Item::Wait(ms) => {
                    let _ = writeln!(text, "(wait {ms} ms)");
                }
                Item::Call(argv) => {
                    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                    let _ = writeln!(text, "{}", words.join(" "));
                }
            }
        }
        text
    }
}

/// Many keys at once, so that walks have pages.
fn fill(count: u64) -> Vec<Vec<u8>> {
    let mut argv = vec![b"MSET".to_vec()];
    for number in 0..count {
        argv.extend([format!("n:{number}").into_bytes(), number.to_string().into_bytes()]);
    }
    argv
}

/// A word as redis-cli takes it.
#[must_use]
pub fn quoted(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let escaped: String = word
        .iter()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("\"{escaped}\"")
}
