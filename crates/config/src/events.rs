//! `notify-keyspace-events`: which changes of keys are published, and on which channels.
//!
//! The letters are parsed once into a set of bits, so that a command asks with one test whether anyone
//! wants to know. Without K or E nothing is published whatever the other letters say, and the
//! set that commands ask is empty.

/// What kind of event it is. The numbers are the bits of [`Events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// `g`: of any type (DEL, EXPIRE, RENAME ...).
    Generic = 0,
    /// `$`
    String = 1,
    /// `l`
    List = 2,
    /// `s`
    Set = 3,
    /// `h`
    Hash = 4,
    /// `z`
    SortedSet = 5,
    /// `x`: a key or field reached its deadline.
    Expired = 6,
    /// `e`: a key had to go because memory was short.
    Evicted = 7,
    /// `t`
    Stream = 8,
    /// `d`: of a module's type.
    Module = 9,
    /// `n`: a key was added.
    New = 10,
    /// `m`: a key that was read is not there.
    Miss = 13,
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(u32);

impl EventClasses {
    /// None.
    pub const NONE: Self = Self(0);
    /// What `A` stands for: whatever changes a key. Not that one is new, which another event tells too,
    /// nor that one was looked for in vain.
    pub const CHANGES: Self = Self(ALL & !(1 << EventClass::New as u32));

    /// With one more.
    #[must_use]
    pub const fn with(self, class: EventClass) -> Self {
        Self(self.0 | 1 << class as u32)
    }

    /// Those of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `class` is among them.
    #[must_use]
    #[inline]
    pub const fn has(self, class: EventClass) -> bool {
        self.0 & (1 << class as u32) != 0
    }
}

impl FromIterator<EventClass> for EventClasses {
    fn from_iter<I: IntoIterator<Item = EventClass>>(classes: I) -> Self {
        classes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The letters in the order in which CONFIG GET prints them. `A` stands for the first [`IN_ALL`].
const LETTERS: &[u8] = b"g$lshzxetdnKEm";
/// How many classes `A` stands for.
const IN_ALL: usize = 10;
const ALL: u32 = (1 << IN_ALL) - 1;
const KEYSPACE: u32 = 1 << 11;
const KEYEVENT: u32 = 1 << 12;

/// Which events are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// The classes; none if no channel is chosen.
    pub classes: EventClasses,
    /// `K`: on `__keyspace@<db>__:<key>`, the event as the message.
    pub by_key: bool,
    /// `E`: on `__keyevent@<db>__:<event>`, the key as the message.
    pub by_event: bool,
}

impl Events {
    pub(crate) const fn of(bits: u32) -> Self {
        let classes = if bits & (KEYSPACE | KEYEVENT) == 0 { 0 } else { bits };
        let classes = EventClasses(classes & !(KEYSPACE | KEYEVENT));
        Self { classes, by_key: bits & KEYSPACE != 0, by_event: bits & KEYEVENT != 0 }
    }

    /// Whether events of this class are published.
    #[must_use]
    #[inline]
    pub const fn has(self, class: EventClass) -> bool {
        self.classes.has(class)
    }
}

pub(crate) fn parse_events(word: &[u8]) -> Result<u32, String> {
    word.iter().try_fold(0, |bits, byte| {
        let class = LETTERS.iter().position(|letter| letter == byte);
        match (byte, class) {
            (b'A', _) => Ok(bits | ALL),
            (_, Some(index)) => Ok(bits | 1 << index),
            _ => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
        }
    })
}

pub(crate) fn print_events(bits: u32) -> String {
    let has_all = bits & ALL == ALL;
    // As the reference prints it: beside `A` the `n` is left out.
    let first_listed = if has_all { IN_ALL + 1 } else { 0 };
    let listed = (first_listed..LETTERS.len())
        .filter(|index| bits & (1 << index) != 0)
        .map(|index| char::from(LETTERS[index]));
    has_all.then_some('A').into_iter().chain(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::{EventClass, Events, parse_events, print_events};

    #[test]
    fn letters_are_printed_in_the_order_of_the_reference() {
        for (written, printed) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AnmKE", "AKEm"),
            ("nmKg", "gnKm"),
            ("g$lshzxetd", "A"),
            ("E$x", "$xE"),
        ] {
            let bits = parse_events(written.as_bytes()).expect(written);
            assert_eq!(print_events(bits), printed, "{written}");
        }
    }

    #[test]
    fn no_event_is_published_while_no_channel_is_chosen() {
        let events = |text: &str| Events::of(parse_events(text.as_bytes()).expect(text));
        assert_eq!(events("Anm"), Events::default());
        assert!(events("KA").has(EventClass::Generic) && !events("KA").by_event);
        assert!(!events("KA").has(EventClass::Miss) && events("Em").has(EventClass::Miss));
        assert!(!events("EA").has(EventClass::New) && events("En").has(EventClass::New));
    }
}
