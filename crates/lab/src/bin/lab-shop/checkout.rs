//! What a request does in the shop: the functions that a crash's stack should name.

use crate::cart::{self, Item};

/// The total of an order, in cents.
#[inline(never)]
pub(crate) fn handle_request(order: u64) -> u64 {
    let count = order % 5 + 1;
    let items: Vec<Item> = (0..count).map(|sku| Item { sku, cents: 100 + order % 900 }).collect();
    let pointers: Vec<*const Item> = items.iter().map(std::ptr::from_ref).collect();
    cart::total(&pointers)
}

/// The total of an order of which one item was taken off the price list: its pointer is null.
#[inline(never)]
pub(crate) fn handle_request_for_missing_item(order: u64) -> u64 {
    let item = Item { sku: order, cents: 100 };
    let missing = std::hint::black_box(std::ptr::null());
    std::hint::black_box(cart::total(&[&raw const item, missing])) + 1
}
