//! Clients that say something and wait for the answer: what most tests do with a world.

use crate::{ClientId, World};

/// Steps after which nobody waits for an answer any more.
const STEPS_MAX: u64 = 100_000;

impl World {
    /// The client writes a request, told as one would type it: words, with quotes where they are needed.
    ///
    /// # Panics
    /// When quotes do not match.
    pub fn say(&mut self, client: ClientId, line: &str) {
        let words = stoa_config::split_words(line.as_bytes());
        self.call(client, &words.unwrap_or_else(|| panic!("quotes in {line}")));
    }

    /// The client's next answer, as text; None if it does not come. While there is nothing to do time
    /// passes, a millisecond a step.
    pub fn answer(&mut self, client: ClientId) -> Option<String> {
        for _ in 0..STEPS_MAX {
            if let Some(reply) = self.next_reply(client) {
                return Some(String::from_utf8_lossy(&reply).into_owned());
            }
            if !self.step() {
                self.advance(1);
            }
        }
        None
    }

    /// Both; the world may have more to do when the answer has come.
    ///
    /// # Panics
    /// When it does not come.
    pub fn ask(&mut self, client: ClientId, line: &str) -> String {
        self.say(client, line);
        self.answer(client).unwrap_or_else(|| panic!("{line} is not answered"))
    }

    /// All that a client reads after a request, once the world has come to rest.
    ///
    /// # Panics
    /// When it does not come to rest.
    pub fn ask_to_rest(&mut self, client: ClientId, argv: &[&str]) -> String {
        self.call(client, argv);
        assert!(self.settle(10 * STEPS_MAX), "{argv:?} goes round in circles");
        let read: Vec<u8> = std::iter::from_fn(|| self.next_reply(client)).flatten().collect();
        String::from_utf8_lossy(&read).into_owned()
    }
}
