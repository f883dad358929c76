//! What commands do with keys: one database of one shard, at one moment.
//!
//! A [`Db`] is made for one command: it knows the time, so a key past its deadline is gone for every
//! reader at the same instant, whether or not the wheel has reclaimed it yet.

use stoa_config::EventClass;
use stoa_stdx::{DbIndex, HashSeed, Key, Rng, SLOT_COUNT, SlotId, UnixMs};

use stoa_value::{Hash, Kind, ObjectRef, Str, Type};

use crate::Keyspace;
use crate::copying::{Copying, ValueRef};
use crate::edit::Edit;
use crate::entry::{EMBSTR_LEN_MAX, Entry, INLINE_LEN_MAX, NewValue, Repr, Value};
use crate::slots::Slots;
use crate::table::Slot;
use crate::uses::{Access, Counting, access_clock, counted};

/// What a write does to the deadline of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Leaves it as it is (KEEPTTL).
    Keep,
    /// Takes it away.
    Clear,
    /// Sets it.
    At(UnixMs),
}

/// The key holds a value of another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A key with its value and deadline, outside any database: what is lent, moved and copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The value.
    pub value: Value,
    /// When the key is due.
    pub deadline: Option<UnixMs>,
    /// What its entry remembers of its use.
    pub clock: u32,
}

/// One numbered database of one shard.
pub(crate) struct Database {
    /// What wheel items know it by: SWAPDB changes its index, never this.
    pub(crate) id: u16,
    /// Made when the first key comes: 16 bytes a slot.
    pub(crate) slots: Option<Slots>,
    pub(crate) len: usize,
    pub(crate) expires: usize,
    /// Hashes that the wheel looks at for the deadlines of their fields.
    pub(crate) armed_hashes: usize,
    /// Keys of each block of slots, so that the key of a number is found without looking at every slot.
    pub(crate) blocks: [u32; BLOCKS],
}

/// Fields past their deadline that whoever opens their hash reclaims.
const FIELDS_LEN_MAX: usize = 16;

/// Slots of a block, and blocks: about as many of each, so that both are short to walk.
pub(crate) const BLOCK_LEN: usize = 128;
const BLOCKS: usize = SLOT_COUNT / BLOCK_LEN;

impl Database {
    pub(crate) const fn new(id: u16) -> Self {
        Self { id, slots: None, len: 0, expires: 0, armed_hashes: 0, blocks: [0; BLOCKS] }
    }

    /// A key came.
    pub(crate) const fn count_in(&mut self, slot: SlotId) {
        self.len += 1;
        self.blocks[slot.0 as usize / BLOCK_LEN] += 1;
    }

    /// A key left.
    pub(crate) const fn count_out(&mut self, slot: SlotId) {
        self.len -= 1;
        self.blocks[slot.0 as usize / BLOCK_LEN] -= 1;
    }

    /// The entry of a number below `len`, in slot order: some 1,500 steps at most, however many keys.
    fn nth(&self, mut n: usize) -> Option<Entry> {
        let is_in = |n: &mut usize, len: usize| {
            let here = *n < len;
            *n -= if here { 0 } else { len };
            here
        };
        let block = self.blocks.iter().position(|len| is_in(&mut n, *len as usize))?;
        let slots = &self.slots.as_ref()?[block * BLOCK_LEN..(block + 1) * BLOCK_LEN];
        let slot = slots.iter().find(|slot| is_in(&mut n, slot.len()))?;
        slot.nth(n)
    }

    /// Counts an entry that goes as gone from those that wait for a deadline.
    pub(crate) fn forget(&mut self, entry: Entry) {
        self.expires -= usize::from(entry.due().is_some());
        self.armed_hashes -= usize::from(entry.armed_fields().is_some());
    }

    fn slot(&self, slot: SlotId) -> Option<&Slot> {
        self.slots.as_ref().map(|slots| &slots[slot.0 as usize])
    }

    pub(crate) fn slot_mut(&mut self, slot: SlotId) -> &mut Slot {
        let slots = self.slots.get_or_insert_with(Slots::new);
        &mut slots[slot.0 as usize]
    }

    #[inline]
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<Entry> {
        self.slot(key.slot)?.find(key.hash, key.bytes)
    }
}

/// A database as one command sees it.
pub struct Db<'a> {
    keyspace: &'a mut Keyspace,
    index: DbIndex,
    now: UnixMs,
    /// Reads move access clocks (CLIENT NO-TOUCH says no).
    touch: bool,
    /// Keys added and missed are noticed, if anybody wants to know.
    notices: bool,
}

/// A key that is there.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    entry: Entry,
    now: UnixMs,
    life: std::marker::PhantomData<&'a ()>,
}

impl<'a> EntryRef<'a> {
    pub(crate) fn new(entry: Entry, now: UnixMs) -> Self {
        Self { entry, now, life: std::marker::PhantomData }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.entry.key()
    }

    /// The value's type.
    #[must_use]
    pub fn ty(&self) -> Type {
        self.entry.ty()
    }

    /// The value, if it is no string.
    #[must_use]
    pub fn object(&self) -> Option<ObjectRef<'a>> {
        self.entry.object()
    }

    /// The value as a list, set or hash.
    ///
    /// # Errors
    /// [`WrongType`] when it is of another type.
    pub fn read<T: Kind>(&self) -> Result<&'a T, WrongType> {
        let place = self.entry.kind::<T>().ok_or(WrongType)?;
        // SAFETY: a T lies there; nobody changes or frees it while the database is borrowed for 'a.
        Ok(unsafe { place.as_ref() })
    }

    /// The string value.
    ///
    /// # Errors
    /// [`WrongType`] when it is no string.
    #[inline]
    pub fn string(&self) -> Result<Str<'a>, WrongType> {
        if self.entry.ty() == Type::String { Ok(self.entry.str()) } else { Err(WrongType) }
    }

    /// When the key is due.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixMs> {
        self.entry.deadline()
    }

    /// OBJECT ENCODING's word.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self.entry.repr() {
            Repr::Int => "int",
            Repr::Inline if self.entry.str().len() <= EMBSTR_LEN_MAX => "embstr",
            Repr::Inline | Repr::InlineRaw | Repr::Heap => "raw",
            Repr::Object => self.entry.object().map_or("", ObjectRef::encoding),
        }
    }

    /// Bytes that the key, its value and its bookkeeping take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Its word in the slot's table, at the usual load.
        self.entry.bytes() + 10
    }

    /// Seconds since it was last touched.
    #[must_use]
    pub fn idle_s(&self) -> u64 {
        u64::from(access_clock(self.now).wrapping_sub(self.entry.clock()) & 0xff_ffff)
    }

    /// The value, seen where it lies.
    #[must_use]
    pub fn value(&self) -> ValueRef<'a> {
        match self.entry.object() {
            Some(object) => ValueRef::Object(object),
            None => {
                let raw = self.entry.repr() == Repr::InlineRaw;
                ValueRef::String { text: self.entry.str(), raw }
            }
        }
    }

    /// How often it was used, on a logarithmic scale.
    #[must_use]
    pub fn frequency(&self, counting: Counting) -> u8 {
        counting.count(self.entry.clock(), self.now) as u8
    }

    /// The 24 bits from which either is told.
    #[must_use]
    pub fn clock(&self) -> u32 {
        self.entry.clock()
    }

    /// A copy that stands on its own.
    #[must_use]
    pub fn to_owned(&self) -> Owned {
        let mut copying = Copying::begin(self.value());
        copying.go_on(self.value(), usize::MAX);
        self.with_value(copying)
    }

    /// A copy that was made of its value, with its deadline and clock.
    #[must_use]
    pub fn with_value(&self, copied: Copying) -> Owned {
        Owned { value: copied.finish(), deadline: self.deadline(), clock: self.entry.clock() }
    }
}

impl<'a> Db<'a> {
    pub(crate) fn new(
        keyspace: &'a mut Keyspace,
        index: DbIndex,
        now: UnixMs,
        touch: bool,
    ) -> Self {
        Self { keyspace, index, now, touch, notices: false }
    }

    /// The same for a command that clients are told of: keys it adds and misses are noticed. Otherwise
    /// only expiry is: a key that comes back from a loan is not new.
    #[must_use]
    #[inline]
    pub const fn noticing(mut self) -> Self {
        self.notices = true;
        self
    }

    /// The same for reads that tell nobody that they missed.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.notices = false;
        self
    }

    fn database(&mut self) -> &mut Database {
        &mut self.keyspace.databases[self.index.0 as usize]
    }

    /// The moment this command happens at.
    #[must_use]
    pub const fn now(&self) -> UnixMs {
        self.now
    }

    /// The secret for hashing keys that were not routed by.
    #[must_use]
    pub const fn seed(&self) -> &HashSeed {
        &self.keyspace.seed
    }

    /// Keys, those past their deadline and not reclaimed yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keyspace.databases[self.index.0 as usize].len
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live entry of `key`, found without any trace on it. An expired one is reclaimed.
    #[inline]
    fn locate(&mut self, key: &Key<'_>) -> Option<Entry> {
        let entry = self.database().find(key)?;
        match entry.deadline() {
            Some(deadline) if self.now > deadline => {
                if !self.keyspace.held.keeps(key.hash, deadline) {
                    self.keyspace.reclaim(self.index, key);
                }
                None
            }
            Some(_) | None if entry.ty() == Type::Hash => self.without_due_fields(key, entry),
            Some(_) | None => Some(entry),
        }
    }

    /// The entry of a hash, its fields that are past their deadline hidden. None if that is all of them.
    fn without_due_fields(&mut self, key: &Key<'_>, entry: Entry) -> Option<Entry> {
        let mut place = entry.kind::<Hash>()?;
        // SAFETY: a Hash lies there, and the database is borrowed exclusively.
        let hash = unsafe { place.as_mut() };
        if hash.next_deadline().is_none() {
            return Some(entry);
        }
        hash.see(self.now);
        let is_over = hash.is_over(self.now);
        if !self.keyspace.keeps_fields(key, hash, self.now) {
            // SAFETY: as above, and whoever has the entry after this looks into it anew.
            unsafe {
                self.keyspace.reclaim_fields(self.index, key, place, self.now, FIELDS_LEN_MAX);
            }
        }
        (!is_over).then_some(entry)
    }

    /// Reads `key` for its value: counts a hit or miss, moves the access clock.
    #[inline]
    pub fn get(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let Some(entry) = self.locate(key) else {
            self.missed(key);
            return None;
        };
        self.keyspace.stats.hits += 1;
        self.touched(entry);
        Some(EntryRef::new(entry, self.now))
    }

    /// Reads about `key` rather than its value (TYPE, TTL, OBJECT): counts a hit or miss, leaves the
    /// access clock.
    pub fn get_untouched(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let found = self.locate(key);
        match found {
            Some(_) => self.keyspace.stats.hits += 1,
            None => self.missed(key),
        }
        found.map(|entry| EntryRef::new(entry, self.now))
    }

    fn missed(&mut self, key: &Key<'_>) {
        self.keyspace.stats.misses += 1;
        if self.notices && self.keyspace.notices.heed(EventClass::Miss) {
            self.keyspace.notices.push(self.index, EventClass::Miss, "keymiss", key.bytes);
        }
    }

    #[cold]
    fn reclaim_passed_over(&mut self, key: &Key<'_>) {
        let hash = self.database().find(key).and_then(Entry::kind::<Hash>);
        // SAFETY: a Hash lies there, and the database is borrowed exclusively; nothing else refers to it.
        let ended = hash.is_some_and(|place| unsafe {
            self.keyspace.reclaim_fields(self.index, key, place, self.now, 0).1
        });
        if !ended {
            self.keyspace.reclaim(self.index, key);
        }
    }

    /// A key that was not there before, or was passed over because it is past its deadline and held.
    fn add(&mut self, key: &Key<'_>, entry: Entry) {
        if !self.keyspace.held.is_idle() {
            self.reclaim_passed_over(key);
        }
        self.keyspace.insert(self.index, key, entry);
        if self.notices && self.keyspace.notices.heed(EventClass::New) {
            self.keyspace.notices.push(self.index, EventClass::New, "new", key.bytes);
        }
    }

    /// [`Db::get`] of several keys at once, to be read together; the same key may stand among them
    /// twice.
    pub fn get_all<'k>(mut self, keys: impl Iterator<Item = Key<'k>>) -> Vec<Option<EntryRef<'a>>> {
        // The database itself is taken, whose borrow of the keyspace lasts for 'a: nobody changes it
        // meanwhile. A look-up frees its own key at most, when that is past its deadline, which those
        // found before were not at this same moment.
        let now = self.now;
        keys.map(|key| self.get(&key).map(|entry| EntryRef::new(entry.entry, now))).collect()
    }

    /// Looks at `key` without a trace.
    pub fn peek(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        self.locate(key).map(|entry| EntryRef::new(entry, self.now))
    }

    /// Looks at `key` as it lies there, past its deadline or not (DEBUG OBJECT).
    pub fn peek_at_all(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let entry = self.database().find(key)?;
        Some(EntryRef::new(entry, self.now))
    }

    /// Looks up `key` in order to write it: touches, counts nothing.
    pub fn get_for_write(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let entry = self.locate(key)?;
        self.touched(entry);
        Some(EntryRef::new(entry, self.now))
    }

    /// Reads the list, set or hash of `key`: counts a hit or miss, moves the access clock.
    ///
    /// # Errors
    /// [`WrongType`] when the key holds something else.
    pub fn read<T: Kind>(mut self, key: &Key<'_>) -> Result<Option<&'a T>, WrongType> {
        self.find_kind(key)
    }

    /// [`Db::read`] of several keys at once; the same key may stand among them twice.
    ///
    /// # Errors
    /// [`WrongType`] when a key holds something else.
    pub fn read_all<'k, T: Kind>(
        mut self,
        keys: impl Iterator<Item = Key<'k>>,
    ) -> Result<Vec<Option<&'a T>>, WrongType> {
        keys.map(|key| self.find_kind(&key)).collect()
    }

    fn find_kind<T: Kind>(&mut self, key: &Key<'_>) -> Result<Option<&'a T>, WrongType> {
        let Some(place) = self.get(key).map(|entry| entry.entry.kind::<T>()) else {
            return Ok(None);
        };
        // SAFETY: a T lies there. The callers took the database itself, whose borrow of the keyspace
        // lasts for 'a: nobody changes it meanwhile. Looking up another key frees that key at most,
        // when it is past its deadline, which the keys found before it were not at this same moment.
        place.map(|place| Some(unsafe { place.as_ref() })).ok_or(WrongType)
    }

    /// The list, set or hash of `key` to be changed; None without a key.
    ///
    /// # Errors
    /// [`WrongType`] when the key holds something else.
    #[inline]
    pub fn edit<T: Kind>(mut self, key: &Key<'a>) -> Result<Option<Edit<'a, T>>, WrongType> {
        let Some(entry) = self.locate(key) else { return Ok(None) };
        let place = entry.kind::<T>().ok_or(WrongType)?;
        self.touched(entry);
        self.keyspace.note(self.index, key.bytes);
        Ok(Some(Edit::new(self.keyspace, self.index, *key, place)))
    }

    /// As [`Db::edit`]; a missing key comes to be with an empty value, and goes again if the value is
    /// still empty when the change is over.
    ///
    /// # Errors
    /// [`WrongType`] when the key holds something else.
    #[inline]
    pub fn edit_or_new<T: Kind>(mut self, key: &Key<'a>) -> Result<Edit<'a, T>, WrongType> {
        let found = self.locate(key);
        if found.is_some_and(|entry| entry.kind::<T>().is_none()) {
            return Err(WrongType);
        }
        // Before the key comes to be: undoing it must find that it was not there.
        self.keyspace.note(self.index, key.bytes);
        let entry = match found {
            Some(entry) => {
                self.touched(entry);
                entry
            }
            None => self.add_empty::<T>(key),
        };
        let place = entry.kind::<T>().ok_or(WrongType)?;
        Ok(Edit::new(self.keyspace, self.index, *key, place))
    }

    #[cold]
    fn add_empty<T: Kind>(&mut self, key: &Key<'_>) -> Entry {
        let value = NewValue::Object(T::default().into_object());
        let clock = self.clock_of_new();
        let entry = Entry::new(&mut self.keyspace.arena, key.bytes, value, None, clock);
        self.add(key, entry);
        entry
    }

    fn clock_of_new(&self) -> u32 {
        match self.keyspace.counting {
            None => access_clock(self.now),
            Some(_) => Counting::of_new(self.now),
        }
    }

    #[inline]
    fn touched(&mut self, entry: Entry) {
        if self.keyspace.counting.is_some() {
            return self.count_use(entry);
        }
        let clock = access_clock(self.now);
        // Most reads fall into the second of the last one and leave the cache line clean.
        if self.touch && entry.clock() != clock {
            entry.set_clock(clock);
        }
    }

    #[cold]
    fn count_use(&mut self, entry: Entry) {
        if let Some(counting) = self.keyspace.counting.filter(|_| self.touch) {
            entry.set_clock(counting.used(entry.clock(), self.now, &mut self.keyspace.chance));
        }
    }

    /// Sets what is remembered of the use of `key`, if it is of the kind that keys remember.
    pub fn set_access(&mut self, key: &Key<'_>, access: Access) {
        let Some(entry) = self.locate(key) else { return };
        match (access, self.keyspace.counting) {
            (Access::IdleS(idle_s), None) => {
                // The clock has 24 bits and wraps around.
                entry.set_clock(access_clock(self.now).wrapping_sub(idle_s as u32));
            }
            (Access::Frequency(count), Some(_)) => {
                entry.set_clock(counted(count.into(), self.now));
            }
            (Access::IdleS(_), Some(_)) | (Access::Frequency(_), None) => {}
        }
    }

    /// Stores `bytes` under `key`, whatever was there. An integer in canonical form is stored as one.
    pub fn set_string(&mut self, key: &Key<'_>, bytes: &[u8], ttl: Ttl) {
        match parse_int(bytes) {
            Some(value) => self.set(key, NewValue::Int(value), ttl),
            None => self.set(key, NewValue::Bytes { bytes, raw: false }, ttl),
        }
    }

    /// Stores `bytes` as they are, an integer's digits too, whatever was there.
    pub fn set_bytes(&mut self, key: &Key<'_>, bytes: &[u8], ttl: Ttl) {
        self.set(key, NewValue::Bytes { bytes, raw: false }, ttl);
    }

    /// Stores an integer under `key`, whatever was there.
    pub fn set_int(&mut self, key: &Key<'_>, value: i64, ttl: Ttl) {
        self.set(key, NewValue::Int(value), ttl);
    }

    /// Stores a list, set or hash under `key`, whatever was there.
    pub fn set_object<T: Kind>(&mut self, key: &Key<'_>, value: T, ttl: Ttl) {
        self.set(key, NewValue::Object(value.into_object()), ttl);
        self.arm_anew(key);
    }

    /// Stores what was taken or copied elsewhere, with its deadline and what it remembers of its use,
    /// whatever was there: a loan to another shard is no use of the key.
    pub fn put(&mut self, key: &Key<'_>, owned: Owned) {
        let clock = owned.clock;
        self.store(key, owned);
        self.database().find(key).expect("just stored").set_clock(clock);
    }

    /// The same as a command's own doing: a key that was not there is a new one, and one that was there is
    /// used once more.
    pub fn store(&mut self, key: &Key<'_>, owned: Owned) {
        let ttl = owned.deadline.map_or(Ttl::Clear, Ttl::At);
        match owned.value {
            Value::Int(value) => self.set(key, NewValue::Int(value), ttl),
            Value::Bytes { bytes, raw } if bytes.len() <= INLINE_LEN_MAX => {
                self.set(key, NewValue::Bytes { bytes: &bytes, raw }, ttl);
            }
            Value::Bytes { bytes, .. } => self.set(key, NewValue::Heap(bytes), ttl),
            Value::Object(object) => self.set(key, NewValue::Object(object), ttl),
        }
        self.arm_anew(key);
    }

    /// Puts a hash that comes from another key or another shard on the wheel: what it remembers of one
    /// means nothing here.
    fn arm_anew(&mut self, key: &Key<'_>) {
        let Some(entry) = self.database().find(key) else { return };
        if let Some(mut place) = entry.kind::<Hash>() {
            // SAFETY: a Hash lies there, and the database is borrowed exclusively.
            let hash = unsafe { place.as_mut() };
            hash.set_armed(None);
            self.keyspace.arm_fields(self.index, key, hash);
        }
    }

    fn set(&mut self, key: &Key<'_>, value: NewValue<'_>, ttl: Ttl) {
        let old = self.locate(key);
        self.keyspace.note(self.index, key.bytes);
        let old_due = old.and_then(Entry::due);
        let due = match ttl {
            Ttl::Keep => old_due,
            Ttl::Clear => None,
            Ttl::At(deadline) => Some(self.keyspace.armed(self.index, key, old_due, deadline)),
        };
        let Some(old) = old else {
            let clock = self.clock_of_new();
            let entry = Entry::new(&mut self.keyspace.arena, key.bytes, value, due, clock);
            return self.add(key, entry);
        };
        // Who leaves a deadline alone has looked the key up before, which was the use.
        if ttl != Ttl::Keep {
            self.touched(old);
        }
        let clock = old.clock();
        if due.is_some() == old_due.is_some() && old.overwrite(&value) {
            if let Some(due) = due {
                old.set_due(due);
            }
            return;
        }
        let entry = Entry::new(&mut self.keyspace.arena, key.bytes, value, due, clock);
        self.keyspace.replace(self.index, key, old, entry);
    }

    /// The bytes of `key`'s string to change in place, grown with zeros to at least `len_min`; a
    /// missing key becomes one of zeros. The deadline stays. Gives the length before, too.
    ///
    /// # Errors
    /// [`WrongType`] when it is no string.
    pub fn string_mut(
        &mut self,
        key: &Key<'_>,
        len_min: usize,
    ) -> Result<(&mut [u8], usize), WrongType> {
        let old = self.locate(key);
        if old.is_some_and(|entry| entry.ty() != Type::String) {
            return Err(WrongType);
        }
        self.keyspace.note(self.index, key.bytes);
        let old_len = old.map_or(0, |entry| entry.str().len());
        let mut is_new = false;
        let entry = match old {
            Some(entry) if entry.repr() != Repr::Int && old_len >= len_min => entry,
            Some(entry) if entry.grow_heap(len_min) => entry,
            old => {
                let due = old.and_then(Entry::due);
                let clock = old.map_or_else(|| self.clock_of_new(), Entry::clock);
                let len = len_min.max(old_len);
                let zeros = NewValue::Zeroed(len);
                let entry = Entry::new(&mut self.keyspace.arena, key.bytes, zeros, due, clock);
                let room = entry.bytes_mut().expect("made of bytes");
                is_new = old.is_none();
                if let Some(old) = old {
                    old.str().with(|bytes| room[..bytes.len()].copy_from_slice(bytes));
                    self.keyspace.replace(self.index, key, old, entry);
                } else {
                    self.add(key, entry);
                }
                entry
            }
        };
        if !is_new {
            self.touched(entry);
        }
        Ok((entry.bytes_mut().expect("bytes by now"), old_len))
    }

    /// Removes `key`. False if it was not there.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        let found = self.locate(key).is_some();
        if found {
            self.keyspace.note(self.index, key.bytes);
            self.keyspace.discard(self.index, key);
        }
        found
    }

    /// Takes `key` out with value and deadline.
    pub fn take(&mut self, key: &Key<'_>) -> Option<Owned> {
        self.locate(key)?;
        self.keyspace.note(self.index, key.bytes);
        self.keyspace.remove(self.index, key)
    }

    /// Takes `key` out as it lies, past its deadline or not: that is found out, and said, where it is
    /// used. No change, as it comes back.
    pub fn lend(&mut self, key: &Key<'_>) -> Option<Owned> {
        self.keyspace.remove(self.index, key)
    }

    /// Sets or takes away the deadline of `key`. False if the key is not there.
    pub fn set_deadline(&mut self, key: &Key<'_>, deadline: Option<UnixMs>) -> bool {
        let Some(old) = self.locate(key) else { return false };
        self.keyspace.note(self.index, key.bytes);
        let old_due = old.due();
        let due = deadline.map(|at| self.keyspace.armed(self.index, key, old_due, at));
        match (old_due, due) {
            (Some(_), Some(due)) => old.set_due(due),
            (None, None) => {}
            (None, Some(_)) | (Some(_), None) => {
                // The block grows or shrinks by the deadline word.
                self.keyspace.move_deadline(self.index, key, old, due);
            }
        }
        true
    }

    /// A live key by chance, each as likely as any other.
    pub fn random(&mut self, rng: &mut Rng) -> Option<EntryRef<'_>> {
        // Not for ever: each try reclaims one expired key only.
        for _ in 0..100 {
            let database = &self.keyspace.databases[self.index.0 as usize];
            if database.len == 0 {
                return None;
            }
            let entry = database.nth(rng.below(database.len as u64) as usize)?;
            if entry.is_live(self.now) {
                return Some(EntryRef::new(entry, self.now));
            }
            let bytes = entry.key().to_vec();
            let key = self.keyspace.seed.key(&bytes);
            // It goes, unless somebody holds it.
            self.locate(&key);
        }
        // Nearly all is past its deadline: whoever is left will do.
        let mut left = None;
        self.for_each(&mut |entry| left = left.or(Some(entry.entry)));
        left.map(|entry| EntryRef::new(entry, self.now))
    }

    /// Hands over live entries in slot and hash order from `cursor` on, until `limit` were seen or
    /// slot `end` is reached. Gives the cursor to go on from, None at the end, and how many entries
    /// were seen (expired ones count). A key that is there all the while is handed over, however the
    /// tables change between calls.
    pub fn scan(
        &mut self,
        cursor: ScanCursor,
        end: usize,
        limit: usize,
        each: &mut dyn FnMut(EntryRef<'_>),
    ) -> (Option<ScanCursor>, usize) {
        let now = self.now;
        let Some(slots) = &self.database().slots else { return (None, 0) };
        let mut seen = 0;
        let mut from = cursor.position;
        for at in cursor.slot.0 as usize..end.min(SLOT_COUNT) {
            let slot = SlotId(at as u16);
            if slots[at].len() == 0 {
                from = 0;
                continue;
            }
            if seen >= limit {
                return (Some(ScanCursor { slot, position: from }), seen);
            }
            let mut count = 0;
            let next = slots[at].scan(from, limit - seen, &mut |entry| {
                count += 1;
                if entry.is_live(now) {
                    each(EntryRef::new(entry, now));
                }
            });
            seen += count;
            if let Some(position) = next {
                return (Some(ScanCursor { slot, position }), seen);
            }
            from = 0;
        }
        (None, seen)
    }

    /// Hands over every live entry, in slot and hash order.
    pub fn for_each(&mut self, each: &mut dyn FnMut(EntryRef<'_>)) {
        let _ = self.scan(ScanCursor::START, SLOT_COUNT, usize::MAX, each);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.keyspace.clear(self.index);
    }
}

/// Where a SCAN goes on: slot, then position in hash order. Fits 46 bits, so that clients which
/// read numbers as doubles keep it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanCursor {
    /// The slot.
    pub slot: SlotId,
    /// The top 32 bits of the hash.
    pub position: u32,
}

impl ScanCursor {
    /// The beginning, printed as 0.
    pub const START: Self = Self { slot: SlotId(0), position: 0 };

    /// The number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u64 {
        (self.slot.0 as u64) << 32 | self.position as u64
    }

    /// From its text, as `strtoull` reads it: leading space, a sign and leading zeros are accepted, and
    /// a minus sign wraps around unless the whole is a number below zero in its usual form.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::parse_number(text).map(Self::from_wire)
    }

    /// The number that [`ScanCursor::parse`] reads, for scans of other things.
    #[must_use]
    pub fn parse_number(text: &[u8]) -> Option<u64> {
        if let Some(number) = stoa_stdx::parse_int(text) {
            return u64::try_from(number).ok();
        }
        let text = std::str::from_utf8(text).ok()?;
        let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
        let (digits, negative) = match text.strip_prefix('-') {
            Some(digits) => (digits, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        // The number type's own parser would take a second sign.
        let number: u64 =
            digits.starts_with(|c: char| c.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(if negative { number.wrapping_neg() } else { number })
    }

    /// From the number on the wire; anything a client makes up leads somewhere harmless.
    #[must_use]
    pub const fn from_wire(cursor: u64) -> Self {
        Self {
            slot: SlotId((cursor >> 32) as u16 & (SLOT_COUNT as u16 - 1)),
            position: cursor as u32,
        }
    }
}

/// Canonical integers only: what is stored as a number must print back to the same bytes.
fn parse_int(text: &[u8]) -> Option<i64> {
    // Nearly all values are told apart by length or first byte.
    if text.len() > 20 || !matches!(text.first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    stoa_stdx::parse_int(text)
}
