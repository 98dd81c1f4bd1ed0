//! Memory for a guest that lives for one call: a piece of the memory it begins with, handed out once and never taken
//! back; beyond that the standard allocator. Asking the host for more memory is what this avoids: on a fresh instance it
//! costs as much as a third of a call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What most calls need; more would be more pages for the host to give back.
const BYTES: usize = 64 << 10;

/// The allocator.
pub struct Arena {
    memory: UnsafeCell<[u8; BYTES]>,
    used: AtomicUsize,
}

// SAFETY: a guest has one thread; the contract has no other, and the host refuses modules that want more.
unsafe impl Sync for Arena {}

impl Arena {
    /// Nothing handed out yet.
    pub const fn new() -> Self {
        Self { memory: UnsafeCell::new([0; BYTES]), used: AtomicUsize::new(0) }
    }

    fn base(&self) -> usize {
        self.memory.get() as usize
    }

    /// Where a block begins in the arena, if it lies there.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize).checked_sub(self.base()).filter(|offset| *offset < BYTES)
    }

    /// Moves the end of the last block; says whether there is room.
    fn extend(&self, from: usize, size: usize) -> bool {
        let end = from.checked_add(size).filter(|end| *end <= BYTES);
        if let Some(end) = end {
            self.used.store(end, Relaxed);
        }
        end.is_some()
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: blocks of the arena never overlap, because `used` only falls back to the beginning of the last block when that
// block is freed; they are aligned and lie inside `memory`. Everything else is the standard allocator's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.base();
        let from = (base + self.used.load(Relaxed)).next_multiple_of(layout.align()) - base;
        if self.extend(from, layout.size()) { (base + from) as *mut u8 } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) if offset + layout.size() == self.used.load(Relaxed) => self.used.store(offset, Relaxed),
            Some(_) => {}
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else { return unsafe { System.realloc(block, layout, size) } };
        let is_last = offset + layout.size() == self.used.load(Relaxed);
        if (is_last && self.extend(offset, size)) || size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that `size` is a valid size for this alignment, and both blocks are at least as
        // large as what is copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap_and_growth_moves_beyond_the_arena() {
        let arena = Box::new(Arena::new());
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        // SAFETY: blocks are used within their layouts and freed with them.
        unsafe {
            let first = arena.alloc(layout(10));
            let second = arena.alloc(layout(100));
            assert!(second as usize >= first as usize + 10 && second as usize % 8 == 0);
            first.write_bytes(1, 10);
            second.write_bytes(2, 100);
            let grown = arena.realloc(second, layout(100), 200);
            assert_eq!(grown, second, "the last block grows in place");
            let moved = arena.realloc(first, layout(10), 20);
            assert!(moved != first && *moved == 1 && *moved.add(9) == 1);
            let large = arena.realloc(grown, layout(200), 2 * BYTES);
            assert!(arena.offset(large).is_none() && *large == 2 && *large.add(99) == 2);
            arena.dealloc(large, layout(2 * BYTES));
            let beyond = arena.alloc(layout(BYTES));
            assert!(arena.offset(beyond).is_none());
            arena.dealloc(beyond, layout(BYTES));
            let used = arena.used.load(Relaxed);
            let last = arena.alloc(layout(8));
            arena.dealloc(last, layout(8));
            assert!(arena.used.load(Relaxed) <= used + 7, "the last block is given back");
        }
    }
}
