//! The cart, written as if the price list came from a C library: as pointers, with null for what is not there.
#![expect(unsafe_code, reason = "reading through a null pointer is what this program is for")]

use std::mem::offset_of;

/// A line of the price list.
#[repr(C)]
pub(crate) struct Item {
    pub(crate) sku: u64,
    pub(crate) cents: u64,
}

/// The sum of the items' prices in cents.
#[inline(never)]
pub(crate) fn total(items: &[*const Item]) -> u64 {
    let mut sum = 0;
    for item in items {
        sum += price_of(*item);
    }
    std::hint::black_box(sum)
}

/// Inlined even in a build without optimisation, so that stacks have an inlined frame to show.
///
/// The field's address is computed without the compiler's help: a debug build checks pointers for null and would abort, where
/// a release build, as it runs in production, faults.
#[inline(always)]
#[expect(clippy::inline_always, reason = "an inlined frame is wanted in every build")]
fn price_of(item: *const Item) -> u64 {
    let cents: *const u64 = item.wrapping_byte_add(offset_of!(Item, cents)).cast();
    // SAFETY: none. With a null item this reads address 8, which is the crash that was asked for; other items are live
    // references of the caller's.
    unsafe { *cents }
}
