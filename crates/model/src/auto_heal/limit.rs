//! How much memory a worker may have, and which of the things that bound it is the one that counts.
//!
//! An explicit `memory_limit` replaces the worker size's; the cgroup's is taken when it is lower than either, since the kernel
//! kills there whatever else was agreed.

use serde::{Deserialize, Serialize};

const GB: u64 = 1 << 30;

/// The size of an app's workers, as App Service's plans have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum WorkerSize {
    /// 1.75 GiB.
    #[default]
    Small,
    /// 3.5 GiB.
    Medium,
    /// 7 GiB, of which a 32 bit process can have 4 GiB.
    Large,
}

/// What the worker's executable was built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Bitness {
    /// ELF class 32.
    #[serde(rename = "32")]
    Bits32,
    /// ELF class 64.
    #[default]
    #[serde(rename = "64")]
    Bits64,
}

impl WorkerSize {
    /// The limit of private bytes.
    pub const fn limit_bytes(self, bitness: Bitness) -> u64 {
        match (self, bitness) {
            (Self::Small, _) => GB * 7 / 4,
            (Self::Medium, _) => GB * 7 / 2,
            (Self::Large, Bitness::Bits32) => GB * 4,
            (Self::Large, Bitness::Bits64) => GB * 7,
        }
    }
}

/// Everything that bounds a worker's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The app's worker size.
    pub worker_size: WorkerSize,
    /// The worker's bitness.
    pub bitness: Bitness,
    /// The app's own `memory_limit`, in bytes.
    pub memory_limit: Option<u64>,
    /// The limit of the worker's cgroup, in bytes; absent when it has none.
    pub cgroup: Option<u64>,
}

/// The limit that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemoryLimit {
    /// How much.
    pub bytes: u64,
    /// Whose.
    #[serde(flatten)]
    pub source: LimitSource,
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum LimitSource {
    /// The worker's size and bitness.
    WorkerSize {
        /// The size.
        size: WorkerSize,
        /// The bitness.
        bitness: Bitness,
    },
    /// `memory_limit`.
    MemoryLimit,
    /// The worker's cgroup, being lower.
    Cgroup,
}

impl Bounds {
    /// The limit that counts. Zero bounds nothing.
    pub fn limit(&self) -> MemoryLimit {
        let size = LimitSource::WorkerSize { size: self.worker_size, bitness: self.bitness };
        let agreed = self.memory_limit.filter(|bytes| *bytes > 0).map_or(
            MemoryLimit { bytes: self.worker_size.limit_bytes(self.bitness), source: size },
            |bytes| MemoryLimit { bytes, source: LimitSource::MemoryLimit },
        );
        self.cgroup
            .filter(|bytes| (1..agreed.bytes).contains(bytes))
            .map_or(agreed, |bytes| MemoryLimit { bytes, source: LimitSource::Cgroup })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sizes() {
        use {Bitness::*, WorkerSize::*};
        let cases = [
            (Small, Bits32, 1_879_048_192),
            (Small, Bits64, 1_879_048_192),
            (Medium, Bits32, 3_758_096_384),
            (Medium, Bits64, 3_758_096_384),
            (Large, Bits32, 4 * GB),
            (Large, Bits64, 7 * GB),
        ];
        for (size, bitness, bytes) in cases {
            let limit = Bounds { worker_size: size, bitness, ..Bounds::default() }.limit();
            assert_eq!(limit, MemoryLimit { bytes, source: LimitSource::WorkerSize { size, bitness } });
        }
    }

    #[test]
    fn which_bound_counts() {
        let small = WorkerSize::Small.limit_bytes(Bitness::Bits64);
        let size = LimitSource::WorkerSize { size: WorkerSize::Small, bitness: Bitness::Bits64 };
        let cases = [
            (None, None, small, size),
            (Some(0), Some(0), small, size),
            (Some(9 * GB), None, 9 * GB, LimitSource::MemoryLimit),
            (None, Some(small - 1), small - 1, LimitSource::Cgroup),
            (None, Some(small), small, size),
            (Some(GB), Some(GB + 1), GB, LimitSource::MemoryLimit),
            (Some(GB), Some(GB - 1), GB - 1, LimitSource::Cgroup),
            (None, Some(u64::MAX), small, size),
        ];
        for (memory_limit, cgroup, bytes, source) in cases {
            let limit = Bounds { memory_limit, cgroup, ..Bounds::default() }.limit();
            assert_eq!(limit, MemoryLimit { bytes, source }, "{memory_limit:?} {cgroup:?}");
        }
    }
}
