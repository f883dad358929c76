//! One key and what it holds, in one block of memory.
//!
//! ```text
//!  0        8                16          ..            ..
//! +--------+----------------+-----------+-------------+
//! | header | deadline (TTL) | key bytes | string      |
//! +--------+----------------+-----------+-------------+
//! | header | deadline (TTL) | object 16 | key bytes   |
//! +--------+----------------+-----------+-------------+
//! header: type 3 | repr 3 | ttl 1 | long key 1 | access clock 24 | key length 16 | value length 16
//! ```
//!
//! A lookup reads header, key and a short value from neighbouring cache lines; a key without TTL
//! pays nothing for deadlines; a 16-byte key with a 64-byte value takes 88 bytes. The price is that
//! changing a value's length may move the entry, which is why nobody keeps a pointer to one.
//!
//! A list, set or hash lies before the key, so that it is aligned: 16 bytes with one pointer to the
//! rest (see `stoa_value::Object`). It moves with its entry like any bytes, and nothing points into it.
//!
//! The deadline word says when the key is due and which item of the wheel will look at it (see
//! [`Due`]).

use std::ptr::NonNull;

use stoa_stdx::UnixMs;
use stoa_value::{Hash, Kind, OBJECT_SIZE, Object, ObjectRef, Str, Type};

use crate::arena::Arena;

/// Values up to this length lie inside their entry; larger ones have a buffer of their own.
pub const INLINE_LEN_MAX: usize = 1_024;
/// What OBJECT ENCODING calls `embstr` ends here (Redis: the largest string in a 64-byte object).
pub const EMBSTR_LEN_MAX: usize = 44;
/// The last deadline there is: 63 bits of milliseconds, all that the protocol's integers can say.
pub const DEADLINE_MAX: UnixMs = UnixMs((1 << 63) - 1);

/// An entry's deadline word.
///
/// ```text
/// armed: 0 | arm number 15 | deadline 48      far: 1 | deadline 63
/// ```
///
/// A deadline in the year 10889 or later is *far*: no wheel will live to see it, so it has no item
/// there, needs no arm number and may be as late as the protocol can say. Readers find it past all
/// the same, should the clock ever get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due(u64);

impl Due {
    const FAR: u64 = 1 << 63;
    const NEAR_BITS: u32 = 48;
    const NEAR: u64 = (1 << Self::NEAR_BITS) - 1;
    /// Arm numbers go up to this.
    pub(crate) const ARM_MAX: u16 = (1 << (63 - Self::NEAR_BITS)) - 1;

    /// A deadline that the wheel's item `arm` looks at. None when it is too far for the wheel.
    pub(crate) const fn armed(deadline: UnixMs, arm: u16) -> Option<Self> {
        if deadline.0 >= Self::NEAR {
            return None;
        }
        Some(Self((arm as u64) << Self::NEAR_BITS | deadline.0))
    }

    /// A deadline that nobody waits for.
    pub(crate) fn far(deadline: UnixMs) -> Self {
        Self(Self::FAR | deadline.0.min(DEADLINE_MAX.0))
    }

    pub(crate) const fn deadline(self) -> UnixMs {
        UnixMs(self.0 & if self.0 & Self::FAR == 0 { Self::NEAR } else { DEADLINE_MAX.0 })
    }

    /// The number of its wheel item, if it has one.
    pub(crate) const fn arm(self) -> Option<u16> {
        if self.0 & Self::FAR == 0 { Some((self.0 >> Self::NEAR_BITS) as u16) } else { None }
    }
}

const LONG_KEY_LEN: usize = u16::MAX as usize;
const HEAD: usize = 8;

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Repr {
    /// Eight bytes of integer.
    Int = 0,
    /// Bytes in the entry, never changed in place.
    Inline = 1,
    /// Bytes in the entry that were changed in place: `raw` however short.
    InlineRaw = 2,
    /// A `Vec<u8>` behind a pointer.
    Heap = 3,
    /// Another type than a string, before the key.
    Object = 4,
}

/// A value on its own, outside any entry: what moves between shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An integer string.
    Int(i64),
    /// A byte string; `raw` if it was changed in place before.
    Bytes {
        /// The content.
        bytes: Vec<u8>,
        /// OBJECT ENCODING stays `raw` however short it is.
        raw: bool,
    },
    /// Another type.
    Object(Object),
}

/// An entry in an arena. A plain pointer: whoever holds it keeps the rules (see SAFETY notes).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) NonNull<u8>);

#[derive(Clone, Copy)]
struct Header(u64);

impl Header {
    const TTL: u64 = 1 << 6;
    const LONG_KEY: u64 = 1 << 7;

    fn new(ty: Type, repr: Repr, ttl: bool, clock: u32, key_len: usize, value_len: usize) -> Self {
        let long = key_len >= LONG_KEY_LEN;
        let key_field = if long { 0 } else { key_len as u64 };
        Self(
            ty as u64
                | (repr as u64) << 3
                | if ttl { Self::TTL } else { 0 }
                | if long { Self::LONG_KEY } else { 0 }
                | u64::from(clock & 0xff_ffff) << 8
                | key_field << 32
                | (value_len as u64) << 48,
        )
    }

    const fn repr(self) -> Repr {
        match (self.0 >> 3) & 7 {
            0 => Repr::Int,
            1 => Repr::Inline,
            2 => Repr::InlineRaw,
            3 => Repr::Heap,
            _ => Repr::Object,
        }
    }

    const fn ty(self) -> Type {
        Type::of_number(self.0 as u8 & 7)
    }

    /// Where the key (or its length, if long) begins.
    const fn key_at(self) -> usize {
        HEAD + if self.has_ttl() { 8 } else { 0 }
            + if matches!(self.repr(), Repr::Object) { OBJECT_SIZE } else { 0 }
    }

    const fn has_ttl(self) -> bool {
        self.0 & Self::TTL != 0
    }

    const fn value_len(self) -> usize {
        (self.0 >> 48) as usize
    }
}

/// What a new entry is made of.
pub(crate) enum NewValue<'a> {
    Int(i64),
    Bytes {
        bytes: &'a [u8],
        raw: bool,
    },
    /// Zero bytes of this length, to be written by the caller (`raw`).
    Zeroed(usize),
    Heap(Vec<u8>),
    Object(Object),
}

impl NewValue<'_> {
    fn ty(&self) -> Type {
        match self {
            Self::Object(object) => object.as_ref().ty(),
            Self::Int(_) | Self::Bytes { .. } | Self::Zeroed(_) | Self::Heap(_) => Type::String,
        }
    }

    /// How it is stored, and its bytes behind the key.
    fn stored_len(&self) -> (Repr, usize) {
        match self {
            Self::Object(_) => (Repr::Object, 0),
            Self::Int(_) => (Repr::Int, 8),
            Self::Bytes { bytes, raw } if bytes.len() <= INLINE_LEN_MAX => {
                (if *raw { Repr::InlineRaw } else { Repr::Inline }, bytes.len())
            }
            Self::Zeroed(len) if *len <= INLINE_LEN_MAX => (Repr::InlineRaw, *len),
            Self::Bytes { .. } | Self::Zeroed(_) | Self::Heap(_) => {
                (Repr::Heap, size_of::<Vec<u8>>())
            }
        }
    }
}

impl Entry {
    pub(crate) fn new(
        arena: &mut Arena,
        key: &[u8],
        value: NewValue<'_>,
        due: Option<Due>,
        clock: u32,
    ) -> Self {
        let (repr, value_len) = value.stored_len();
        let header = Header::new(value.ty(), repr, due.is_some(), clock, key.len(), value_len);
        let long = key.len() >= LONG_KEY_LEN;
        let size = header.key_at() + if long { 8 } else { 0 } + key.len() + value_len;
        let block = arena.alloc(size);
        // SAFETY: the block is fresh and `size` bytes long; the writes below fill it front to back
        // and end at `size`, unaligned where they must be. An object follows header and deadline,
        // which are whole words of an aligned block.
        unsafe {
            let mut at = block.as_ptr();
            let mut put = |bytes: &[u8]| {
                at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                at = at.add(bytes.len());
            };
            put(&header.0.to_ne_bytes());
            if let Some(due) = due {
                put(&due.0.to_ne_bytes());
            }
            if repr == Repr::Object {
                put(&[0; OBJECT_SIZE]);
            }
            if long {
                put(&(key.len() as u64).to_ne_bytes());
            }
            put(key);
            match value {
                NewValue::Int(value) => put(&value.to_ne_bytes()),
                NewValue::Bytes { bytes, .. } if repr != Repr::Heap => put(bytes),
                NewValue::Zeroed(len) if repr != Repr::Heap => at.write_bytes(0, len),
                NewValue::Bytes { bytes, .. } => {
                    at.cast::<Vec<u8>>().write_unaligned(bytes.to_vec());
                }
                NewValue::Zeroed(len) => at.cast::<Vec<u8>>().write_unaligned(vec![0; len]),
                NewValue::Heap(bytes) => at.cast::<Vec<u8>>().write_unaligned(bytes),
                NewValue::Object(object) => object.write_to(Self(block).object_at()),
            }
        }
        Self(block)
    }

    fn header(self) -> Header {
        // SAFETY: every entry starts with an aligned, initialised header.
        Header(unsafe { self.0.as_ptr().cast::<u64>().read() })
    }

    fn set_header(self, header: Header) {
        // SAFETY: as in `header`; the shard is the only user of its entries.
        unsafe { self.0.as_ptr().cast::<u64>().write(header.0) }
    }

    pub(crate) fn key<'a>(self) -> &'a [u8] {
        let header = self.header();
        let mut at = header.key_at();
        // SAFETY: the layout of the head of this file; the lifetime is the holder's promise not to
        // free or change the entry while the slice lives (`Db` binds it to its borrow).
        unsafe {
            let base = self.0.as_ptr();
            let len = if header.0 & Header::LONG_KEY == 0 {
                (header.0 >> 32) as usize & 0xffff
            } else {
                at += 8;
                base.add(at - 8).cast::<u64>().read() as usize
            };
            std::slice::from_raw_parts(base.add(at), len)
        }
    }

    /// Where an object lies.
    fn object_at(self) -> *mut u8 {
        let at = HEAD + if self.header().has_ttl() { 8 } else { 0 };
        // SAFETY: an object follows the head inside the block.
        unsafe { self.0.as_ptr().add(at) }
    }

    pub(crate) fn ty(self) -> Type {
        self.header().ty()
    }

    /// A value that is no string.
    pub(crate) fn object<'a>(self) -> Option<ObjectRef<'a>> {
        let header = self.header();
        // SAFETY: an Object of the header's type lies there, aligned to the block's words; the
        // lifetime is the holder's promise as in `key`.
        (header.repr() == Repr::Object)
            .then(|| unsafe { ObjectRef::at(header.ty(), self.object_at()) })
    }

    /// The object as what it is, if it is that.
    pub(crate) fn kind<T: Kind>(self) -> Option<NonNull<T>> {
        // SAFETY: inside the block, so not null. A header's type is that of its object.
        (self.header().ty() == T::TYPE)
            .then(|| unsafe { NonNull::new_unchecked(self.object_at().cast::<T>()) })
    }

    fn value_at(self) -> *mut u8 {
        let key = self.key();
        // Through the block's pointer, whose provenance is the whole block, not the key's slice.
        let offset = key.as_ptr().addr() - self.0.as_ptr().addr() + key.len();
        // SAFETY: the value follows the key inside the block.
        unsafe { self.0.as_ptr().add(offset) }
    }

    /// Bytes of the block, as asked of the arena.
    pub(crate) fn size(self) -> usize {
        let header = self.header();
        self.value_at().addr() - self.0.as_ptr().addr() + header.value_len()
    }

    /// Bytes of the block and of what it owns elsewhere.
    pub(crate) fn bytes(self) -> usize {
        let elsewhere = match self.header().repr() {
            Repr::Heap => self.heap().capacity(),
            Repr::Object => self.object().map_or(0, ObjectRef::bytes),
            Repr::Int | Repr::Inline | Repr::InlineRaw => 0,
        };
        Arena::rounded(self.size()) + elsewhere
    }

    pub(crate) fn repr(self) -> Repr {
        self.header().repr()
    }

    /// A string. An object is seen as none here; callers look at the type first.
    pub(crate) fn str<'a>(self) -> Str<'a> {
        let header = self.header();
        let at = self.value_at();
        match header.repr() {
            // SAFETY: an Int holds eight bytes there; any alignment.
            Repr::Int => Str::Int(unsafe { at.cast::<i64>().read_unaligned() }),
            Repr::Inline | Repr::InlineRaw => {
                // SAFETY: inline bytes of this length; lifetime as in `key`.
                Str::Bytes(unsafe { std::slice::from_raw_parts(at, header.value_len()) })
            }
            Repr::Heap => {
                let heap = self.heap();
                // SAFETY: the vector's own content; lifetime as in `key`.
                Str::Bytes(unsafe { std::slice::from_raw_parts(heap.as_ptr(), heap.len()) })
            }
            Repr::Object => Str::Bytes(b""),
        }
    }

    /// The vector of a `Heap` value, seen without taking it.
    fn heap(self) -> std::mem::ManuallyDrop<Vec<u8>> {
        debug_assert_eq!(self.header().repr(), Repr::Heap);
        // SAFETY: a Heap value is a Vec written there; ManuallyDrop keeps this copy from freeing it.
        std::mem::ManuallyDrop::new(unsafe { self.value_at().cast::<Vec<u8>>().read_unaligned() })
    }

    /// Replaces an inline value or integer of the same stored length. False if it does not fit.
    pub(crate) fn overwrite(self, value: &NewValue<'_>) -> bool {
        let header = self.header();
        let (repr, len) = value.stored_len();
        let elsewhere = |repr| matches!(repr, Repr::Heap | Repr::Object);
        if elsewhere(repr) || elsewhere(header.repr()) || len != header.value_len() {
            return false;
        }
        let at = self.value_at();
        // SAFETY: the value's place has exactly `len` bytes.
        unsafe {
            match value {
                NewValue::Int(value) => at.cast::<i64>().write_unaligned(*value),
                NewValue::Bytes { bytes, .. } => {
                    at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
                NewValue::Zeroed(len) => at.write_bytes(0, *len),
                NewValue::Heap(_) | NewValue::Object(_) => return false,
            }
        }
        self.set_header(Header(header.0 & !(7 << 3) | (repr as u64) << 3));
        true
    }

    /// The bytes of an inline or heap value, to be changed in place; the encoding becomes `raw`.
    /// None for an integer, and for what is no string.
    pub(crate) fn bytes_mut<'a>(self) -> Option<&'a mut [u8]> {
        let header = self.header();
        match header.repr() {
            Repr::Int | Repr::Object => None,
            Repr::Inline | Repr::InlineRaw => {
                self.set_header(Header(header.0 & !(7 << 3) | (Repr::InlineRaw as u64) << 3));
                // SAFETY: inline bytes of this length; the caller holds the database exclusively.
                Some(unsafe { std::slice::from_raw_parts_mut(self.value_at(), header.value_len()) })
            }
            Repr::Heap => {
                let mut heap = self.heap();
                // SAFETY: the vector's own content; exclusive as above.
                Some(unsafe { std::slice::from_raw_parts_mut(heap.as_mut_ptr(), heap.len()) })
            }
        }
    }

    /// Grows a heap value with zeros to `len`, in place. False for the other forms.
    pub(crate) fn grow_heap(self, len: usize) -> bool {
        if self.header().repr() != Repr::Heap {
            return false;
        }
        let mut heap = std::mem::ManuallyDrop::into_inner(self.heap());
        if heap.capacity() < len {
            // As sds: double small ones, add a mebibyte to large ones.
            let wanted = if len < 1 << 20 { len * 2 } else { len + (1 << 20) };
            heap.reserve_exact(wanted - heap.len());
        }
        heap.resize(len, 0);
        // SAFETY: `heap` was read from there and is put back, so the vector has one owner again.
        unsafe { self.value_at().cast::<Vec<u8>>().write_unaligned(heap) };
        true
    }

    /// Takes the value out and frees the block.
    ///
    /// # Safety
    /// The entry is in no table any more and is not used again; `arena` made it.
    pub(crate) unsafe fn into_value(self, arena: &mut Arena) -> Value {
        let value = match self.header().repr() {
            Repr::Int | Repr::Inline | Repr::InlineRaw => match self.str() {
                Str::Int(value) => Value::Int(value),
                Str::Bytes(bytes) => Value::Bytes {
                    bytes: bytes.to_vec(),
                    raw: self.header().repr() == Repr::InlineRaw,
                },
            },
            Repr::Heap => {
                Value::Bytes { bytes: std::mem::ManuallyDrop::into_inner(self.heap()), raw: true }
            }
            Repr::Object => {
                // SAFETY: an Object of this type lies there, and the block is freed below.
                Value::Object(unsafe { Object::read_from(self.ty(), self.object_at()) })
            }
        };
        // SAFETY: by contract; the vector or object, if any, was moved out above.
        unsafe { arena.free(self.0, self.size()) };
        value
    }

    /// Frees the block and what the value owns; what takes long to free goes to `condemned`.
    ///
    /// # Safety
    /// As for [`Entry::into_value`].
    pub(crate) unsafe fn discard(self, arena: &mut Arena, condemned: &mut Vec<Object>) {
        match self.header().repr() {
            Repr::Heap => drop(std::mem::ManuallyDrop::into_inner(self.heap())),
            Repr::Object => {
                // SAFETY: an Object of this type lies there, and the block is freed below.
                let object = unsafe { Object::read_from(self.ty(), self.object_at()) };
                if !object.as_ref().is_light() {
                    condemned.push(object);
                }
            }
            Repr::Int | Repr::Inline | Repr::InlineRaw => {}
        }
        // SAFETY: by contract; the vector or object, if any, was dropped or moved out above.
        unsafe { arena.free(self.0, self.size()) };
    }

    /// The same key and value in a block with (or without) room for a deadline.
    ///
    /// # Safety
    /// As for [`Entry::into_value`]: the new entry owns what this one did.
    pub(crate) unsafe fn with_deadline(self, arena: &mut Arena, due: Option<Due>) -> Self {
        let header = self.header();
        let size = self.size();
        let head = HEAD + if header.has_ttl() { 8 } else { 0 };
        let new_head = HEAD + if due.is_some() { 8 } else { 0 };
        let block = arena.alloc(new_head + size - head);
        let ttl = if due.is_some() { Header::TTL } else { 0 };
        // SAFETY: all behind the head moves as it is, a heap value's vector and an object included;
        // the old block is then freed without dropping them.
        unsafe {
            let tail = self.0.as_ptr().add(head);
            block.as_ptr().add(new_head).copy_from_nonoverlapping(tail, size - head);
            block.as_ptr().cast::<u64>().write(header.0 & !Header::TTL | ttl);
            if let Some(due) = due {
                block.as_ptr().cast::<u64>().add(1).write(due.0);
            }
            arena.free(self.0, size);
        }
        Self(block)
    }

    pub(crate) fn due(self) -> Option<Due> {
        self.header().has_ttl().then(|| {
            // SAFETY: with the TTL bit, the second word is the deadline.
            Due(unsafe { self.0.as_ptr().cast::<u64>().add(1).read() })
        })
    }

    /// When the wheel looks at the fields of a hash.
    pub(crate) fn armed_fields(self) -> Option<UnixMs> {
        match self.object() {
            Some(ObjectRef::Hash(hash)) => hash.armed(),
            Some(_) | None => None,
        }
    }

    /// Whether a reader at `now` sees it: neither its deadline has passed nor those of all its fields.
    pub(crate) fn is_live(self, now: UnixMs) -> bool {
        if self.deadline().is_some_and(|deadline| now > deadline) {
            return false;
        }
        let Some(mut place) = self.kind::<Hash>() else { return true };
        // SAFETY: a Hash lies there. Its keyspace is borrowed exclusively by whoever walks over entries,
        // and no other reference to this one's hash is alive.
        let hash = unsafe { place.as_mut() };
        // Whoever reads on sees what is there at this moment.
        hash.see(now);
        !hash.is_over(now)
    }

    /// The deadline, if it has one.
    pub(crate) fn deadline(self) -> Option<UnixMs> {
        self.due().map(Due::deadline)
    }

    /// Overwrites the deadline word of an entry that has one.
    pub(crate) fn set_due(self, due: Due) {
        assert!(self.header().has_ttl(), "no room for a deadline in this entry");
        // SAFETY: as in `due`.
        unsafe { self.0.as_ptr().cast::<u64>().add(1).write(due.0) }
    }

    /// The 24-bit access clock.
    pub(crate) fn clock(self) -> u32 {
        (self.header().0 >> 8) as u32 & 0xff_ffff
    }

    pub(crate) fn set_clock(self, clock: u32) {
        let header = self.header();
        self.set_header(Header(header.0 & !(0xff_ffff << 8) | u64::from(clock & 0xff_ffff) << 8));
    }
}
