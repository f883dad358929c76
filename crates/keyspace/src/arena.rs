//! Where a shard's small blocks live: entries and slot tables.
//!
//! A general allocator rounds an 88-byte entry up to 96 and knows nothing of our two habits: every
//! block is freed by the thread that made it, and its size is known when it is freed. So blocks are
//! cut in classes of 8 bytes from 64 KiB pages, and pages from 2 MiB regions that ask for huge
//! pages, which spares most of the TLB misses of a random read. The price is that a page serves one
//! class until its last block is freed. Blocks above [`BLOCK_SIZE_MAX`] go to the global allocator.
//!
//! Bytes in use are counted exactly, as the caller's rounded sizes.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Larger blocks come from the global allocator: a page would hold too few of them.
pub const BLOCK_SIZE_MAX: usize = 2_048;
const PAGE_SIZE: usize = 64 * 1024;
const REGION_SIZE: usize = 2 * 1024 * 1024;
const PAGES_PER_REGION: usize = REGION_SIZE / PAGE_SIZE;
/// Up to here classes are 8 bytes apart, above an eighth of the size.
const FINE_MAX: usize = 512;
const FINE_CLASSES: usize = FINE_MAX / 8;
const CLASSES: usize = FINE_CLASSES + 16;

const _: () = assert!(PAGE_SIZE.is_power_of_two(), "a page is found from a block by mask");

/// At the start of every page. Blocks follow.
struct Page {
    /// Freed blocks, linked through their first word.
    free: *mut u8,
    /// First byte never handed out yet, as offset in the page.
    fresh: u32,
    used: u32,
    class: u32,
    region: u32,
    /// Neighbours in the class's list of pages with room; null at the ends.
    prev: *mut Page,
    next: *mut Page,
    listed: bool,
}

const PAGE_HEAD: usize = size_of::<Page>().next_multiple_of(16);

struct Region {
    base: NonNull<u8>,
    /// Pages in use, one bit each.
    in_use: u32,
    /// Huge pages were asked for.
    advised: bool,
}

const _: () = assert!(PAGES_PER_REGION == 32, "a region's pages are the bits of a u32");

/// The blocks of one shard.
pub struct Arena {
    /// For each class, the pages that have room; the head serves.
    rooms: [*mut Page; CLASSES],
    regions: Vec<Option<Region>>,
    used_bytes: usize,
    region_count: usize,
    large_bytes: usize,
}

// SAFETY: the arena owns every page its pointers lead to; nothing else holds them, so moving it to
// another thread moves all of it. It is not Sync.
unsafe impl Send for Arena {}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Arena {
    /// An arena without any memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rooms: [std::ptr::null_mut(); CLASSES],
            regions: Vec::new(),
            used_bytes: 0,
            region_count: 0,
            large_bytes: 0,
        }
    }

    /// Bytes of live blocks, rounded as they are stored.
    #[must_use]
    pub const fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Bytes taken from the system's allocator for them.
    #[must_use]
    pub const fn reserved_bytes(&self) -> usize {
        self.region_count * REGION_SIZE + self.large_bytes
    }

    /// Whether moving this block elsewhere may free its page: much of the page is unused, and it is
    /// not the one that new blocks come from.
    ///
    /// # Safety
    /// `block` came from [`Arena::alloc`] of this arena with the same `size`.
    pub unsafe fn is_sparse(&self, block: NonNull<u8>, size: usize) -> bool {
        if size > BLOCK_SIZE_MAX {
            return false;
        }
        let page = page_of(block);
        // SAFETY: as in `free`: the block is live, so its page is.
        let (used, listed) = unsafe { ((*page).used as usize, (*page).listed) };
        let head = self.rooms[class_of(size)];
        let capacity = (PAGE_SIZE - PAGE_HEAD) / Self::rounded(size);
        listed && page != head && used < capacity - capacity / 8
    }

    /// What a block of `size` bytes really takes.
    #[must_use]
    pub const fn rounded(size: usize) -> usize {
        if size > BLOCK_SIZE_MAX { size.next_multiple_of(8) } else { class_size(class_of(size)) }
    }

    /// A block of at least `size` bytes, aligned to 8, uninitialised.
    pub fn alloc(&mut self, size: usize) -> NonNull<u8> {
        let rounded = Self::rounded(size);
        self.used_bytes += rounded;
        if size > BLOCK_SIZE_MAX {
            self.large_bytes += rounded;
            return alloc_or_die(large_layout(rounded));
        }
        let class = class_of(size);
        let mut page = self.rooms[class];
        if page.is_null() {
            page = self.page_for(class);
        }
        // SAFETY: pages in `rooms` are live, ours, and have room (invariant of the lists).
        unsafe {
            let block = if (*page).free.is_null() {
                let block = page.cast::<u8>().add((*page).fresh as usize);
                (*page).fresh += rounded as u32;
                block
            } else {
                let block = (*page).free;
                (*page).free = block.cast::<*mut u8>().read();
                block
            };
            (*page).used += 1;
            if (*page).free.is_null() && (*page).fresh as usize + rounded > PAGE_SIZE {
                self.unlist(page);
            }
            NonNull::new_unchecked(block)
        }
    }

    /// Gives back a block.
    ///
    /// # Safety
    /// `block` came from [`Arena::alloc`] of this arena with the same `size`, and is not used again.
    pub unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        let rounded = Self::rounded(size);
        self.used_bytes -= rounded;
        if size > BLOCK_SIZE_MAX {
            self.large_bytes -= rounded;
            // SAFETY: made in `alloc` with this very layout.
            unsafe { dealloc(block.as_ptr(), large_layout(rounded)) };
            return;
        }
        let page = page_of(block);
        // SAFETY: a block's page starts at the multiple of PAGE_SIZE below it and is live while any
        // of its blocks is; the pointer's provenance is that of the whole region.
        unsafe {
            block.as_ptr().cast::<*mut u8>().write((*page).free);
            (*page).free = block.as_ptr();
            (*page).used -= 1;
            if !(*page).listed {
                self.list(page);
            }
            // The serving page stays, so that a class going between 0 and 1 does not thrash.
            if (*page).used == 0 && self.rooms[(*page).class as usize] != page {
                self.release(page);
            }
        }
    }

    fn page_for(&mut self, class: usize) -> *mut Page {
        let at = self.regions.iter().position(|r| r.as_ref().is_some_and(|r| r.in_use != u32::MAX));
        let at = at.unwrap_or_else(|| self.add_region());
        let region = self.regions[at].as_mut().expect("chosen because it is there");
        let number = region.in_use.trailing_ones();
        region.in_use |= 1 << number;
        // Asked before the region is filled, the first touch would look for two contiguous mebibytes
        // at once, which was seen to take 72 ms on a fragmented machine. Asked afterwards, the
        // kernel puts the region together in a thread of its own.
        if region.in_use == u32::MAX && !region.advised {
            region.advised = true;
            advise_huge(region.base);
        }
        // SAFETY: `number` < 32, so the page lies inside the region; it is free, so nothing else
        // points there; alignment of the region makes it a multiple of PAGE_SIZE.
        unsafe {
            let page = region.base.as_ptr().add(number as usize * PAGE_SIZE).cast::<Page>();
            page.write(Page {
                free: std::ptr::null_mut(),
                fresh: PAGE_HEAD as u32,
                used: 0,
                class: class as u32,
                region: at as u32,
                prev: std::ptr::null_mut(),
                next: std::ptr::null_mut(),
                listed: false,
            });
            self.list(page);
            page
        }
    }

    fn add_region(&mut self) -> usize {
        let base = alloc_or_die(REGION_LAYOUT);
        self.region_count += 1;
        let region = Some(Region { base, in_use: 0, advised: false });
        if let Some(at) = self.regions.iter().position(Option::is_none) {
            self.regions[at] = region;
            at
        } else {
            self.regions.push(region);
            self.regions.len() - 1
        }
    }

    /// # Safety
    /// `page` is live, ours and in no list.
    unsafe fn list(&mut self, page: *mut Page) {
        // SAFETY: by contract; the head of the list is live too.
        unsafe {
            let head = &mut self.rooms[(*page).class as usize];
            (*page).prev = std::ptr::null_mut();
            (*page).next = *head;
            (*page).listed = true;
            if !head.is_null() {
                (**head).prev = page;
            }
            *head = page;
        }
    }

    /// # Safety
    /// `page` is live, ours and in its class's list.
    unsafe fn unlist(&mut self, page: *mut Page) {
        // SAFETY: by contract; neighbours in a list are live.
        unsafe {
            if (*page).prev.is_null() {
                self.rooms[(*page).class as usize] = (*page).next;
            } else {
                (*(*page).prev).next = (*page).next;
            }
            if !(*page).next.is_null() {
                (*(*page).next).prev = (*page).prev;
            }
            (*page).listed = false;
        }
    }

    /// # Safety
    /// `page` is live, ours, listed and without blocks in use.
    unsafe fn release(&mut self, page: *mut Page) {
        // SAFETY: by contract.
        let (region_at, number) = unsafe {
            self.unlist(page);
            let region_at = (*page).region as usize;
            let base = self.regions[region_at].as_ref().expect("a live page has one").base;
            (region_at, page.cast::<u8>().offset_from(base.as_ptr()) as usize / PAGE_SIZE)
        };
        let region = self.regions[region_at].as_mut().expect("a live page has one");
        region.in_use &= !(1 << number);
        if region.in_use == 0 && self.region_count > 1 {
            // SAFETY: no page of it is in use, so no block is; made with this layout.
            unsafe { dealloc(region.base.as_ptr(), REGION_LAYOUT) };
            self.regions[region_at] = None;
            self.region_count -= 1;
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Large blocks are the owner's to free; the database's drop walks its entries.
        for region in self.regions.drain(..).flatten() {
            // SAFETY: the arena dies, and with it every block cut from its regions.
            unsafe { dealloc(region.base.as_ptr(), REGION_LAYOUT) };
        }
    }
}

/// The page a block was cut from.
fn page_of(block: NonNull<u8>) -> *mut Page {
    block.as_ptr().map_addr(|at| at & !(PAGE_SIZE - 1)).cast::<Page>()
}

const REGION_LAYOUT: Layout = match Layout::from_size_align(REGION_SIZE, REGION_SIZE) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two aligned to itself"),
};

fn large_layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("below isize::MAX: it was a live value")
}

fn alloc_or_die(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout here has size 0.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Asks for huge pages; a refusal only costs speed.
fn advise_huge(base: NonNull<u8>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: the range is a live allocation of ours, and the advice changes no content.
    unsafe {
        libc::madvise(base.as_ptr().cast(), REGION_SIZE, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = base;
}

const fn class_of(size: usize) -> usize {
    if size <= FINE_MAX {
        return if size == 0 { 0 } else { size.div_ceil(8) - 1 };
    }
    // Eight steps a doubling: 512..1024 by 64, 1024..2048 by 128.
    if size <= 1024 {
        FINE_CLASSES + (size - FINE_MAX).div_ceil(64) - 1
    } else {
        FINE_CLASSES + 8 + (size - 1024).div_ceil(128) - 1
    }
}

const fn class_size(class: usize) -> usize {
    if class < FINE_CLASSES {
        (class + 1) * 8
    } else if class < FINE_CLASSES + 8 {
        FINE_MAX + (class - FINE_CLASSES + 1) * 64
    } else {
        1024 + (class - FINE_CLASSES - 8 + 1) * 128
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, BLOCK_SIZE_MAX};
    use stoa_stdx::Rng;

    #[test]
    fn a_class_holds_its_sizes_and_wastes_at_most_an_eighth() {
        for size in 1..=BLOCK_SIZE_MAX {
            let rounded = Arena::rounded(size);
            assert!(rounded >= size && rounded.is_multiple_of(8), "{size}");
            assert!(rounded < size + 8 || rounded <= size + size / 8 + 8, "{size} -> {rounded}");
            assert_eq!(Arena::rounded(rounded), rounded, "{size}");
        }
    }

    #[test]
    fn blocks_never_overlap_and_the_account_is_exact() {
        for seed in 0..if cfg!(miri) { 2 } else { 30 } {
            let mut rng = Rng::new(seed);
            let mut arena = Arena::new();
            let mut live: Vec<(std::ptr::NonNull<u8>, usize, u8)> = Vec::new();
            for step in 0..if cfg!(miri) { 300 } else { 5_000 } {
                if rng.below(100) < 55 || live.is_empty() {
                    let size_max = if rng.one_in(20) { 5_000 } else { 300 };
                    let size = 1 + rng.below(size_max) as usize;
                    let block = arena.alloc(size);
                    let mark = rng.next() as u8;
                    // SAFETY: fresh block of `size` bytes.
                    unsafe { block.as_ptr().write_bytes(mark, size) };
                    live.push((block, size, mark));
                } else {
                    let (block, size, mark) =
                        live.swap_remove(rng.below(live.len() as u64) as usize);
                    // SAFETY: live block of `size` bytes, written above; freed once.
                    unsafe {
                        let bytes = std::slice::from_raw_parts(block.as_ptr(), size);
                        assert!(bytes.iter().all(|b| *b == mark), "seed {seed}, step {step}");
                        arena.free(block, size);
                    }
                }
                let want: usize = live.iter().map(|(_, size, _)| Arena::rounded(*size)).sum();
                assert_eq!(arena.used_bytes(), want, "seed {seed}, step {step}");
            }
            for (block, size, _) in live {
                // SAFETY: as above.
                unsafe { arena.free(block, size) };
            }
            assert_eq!(arena.used_bytes(), 0);
            assert!(arena.reserved_bytes() <= 2 * 1024 * 1024 * 2, "pages come back");
        }
    }
}
