//! What lives in the browser. Nothing here formats dates or matches patterns by itself: what the browser already knows is asked
//! of it, which keeps the WASM small.

mod copy;
mod dom;
mod live;
mod search;

pub use copy::Copy;
pub use live::Live;
pub use search::{SearchWhileTyping, count, is_asked, matches};
