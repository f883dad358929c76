//! The numbers that say what a value is and how it is laid out. The first byte of a payload.

/// A value's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string.
    String = 0,
    /// A list, element by element.
    List = 1,
    /// A set, member by member.
    Set = 2,
    /// A sorted set with scores as text.
    ZsetText = 3,
    /// A hash, field by field.
    Hash = 4,
    /// A sorted set with scores as doubles.
    Zset = 5,
    /// A hash as a zipmap.
    HashZipmap = 9,
    /// A list as one ziplist.
    ListZiplist = 10,
    /// A set of integers as an array.
    SetInts = 11,
    /// A sorted set as a ziplist.
    ZsetZiplist = 12,
    /// A hash as a ziplist.
    HashZiplist = 13,
    /// A list as a row of ziplists.
    ListZiplists = 14,
    /// A stream, as it was first written.
    Stream1 = 15,
    /// A hash as a listpack.
    HashListpack = 16,
    /// A sorted set as a listpack.
    ZsetListpack = 17,
    /// A list as a row of listpacks and long elements.
    ListListpacks = 18,
    /// A stream that knows what was deleted from it.
    Stream2 = 19,
    /// A set as a listpack.
    SetListpack = 20,
    /// A stream whose consumers know when they were active.
    Stream3 = 21,
    /// A hash with deadlines of fields, as written before the first release that had them.
    HashDeadlines0 = 22,
    /// The same as a listpack.
    HashListpackDeadlines0 = 23,
    /// A hash with deadlines of fields, counted from the earliest.
    HashDeadlines = 24,
    /// A hash with deadlines of fields as a listpack, behind the earliest.
    HashListpackDeadlines = 25,
}

impl Kind {
    const ALL: [Self; 23] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::ZsetText,
        Self::Hash,
        Self::Zset,
        Self::HashZipmap,
        Self::ListZiplist,
        Self::SetInts,
        Self::ZsetZiplist,
        Self::HashZiplist,
        Self::ListZiplists,
        Self::Stream1,
        Self::HashListpack,
        Self::ZsetListpack,
        Self::ListListpacks,
        Self::Stream2,
        Self::SetListpack,
        Self::Stream3,
        Self::HashDeadlines0,
        Self::HashListpackDeadlines0,
        Self::HashDeadlines,
        Self::HashListpackDeadlines,
    ];

    /// From its number. Modules' values (6 and 7) are none that we know.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}
