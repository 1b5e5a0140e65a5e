//! The rule Percent memory as data: its numbers, which are App Service's.

use std::time::Duration;

/// The share of the limit that must be exceeded.
pub const SHARE_PERCENT: u64 = 90;

/// For longer than this.
pub const FOR: Duration = Duration::from_secs(30);
