//! `[limits]`: what one worker may take of the host.

use std::num::NonZeroU32;

use crate::config::reader::Section;
use crate::config::setting::Bytes;

/// `[limits]`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of output (both streams together) before a worker is stopped.
    pub output_bytes: u64,
    /// Bytes of output a second; a worker that writes faster waits.
    pub output_rate: u64,
    /// Bytes of memory of the worker and all that it starts.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the worker's tree.
    pub processes: NonZeroU32,
    /// Bytes that the workspace may hold.
    pub disk_bytes: Option<u64>,
    /// Bytes of the largest file that a worker may write.
    pub file_bytes: Option<u64>,
}

/// More than any honest transcript, less than a disk.
fn output() -> Bytes {
    Bytes(256_000_000)
}

/// More than any honest program says, less than a disk takes.
fn output_rate() -> Bytes {
    Bytes(10_000_000)
}

/// More than any honest build starts, less than brings a machine down.
fn processes() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(4095)
}

impl Limits {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let enough = |size: &Bytes| match size.0 {
            0..1000 => Err("must be at least 1kB".to_owned()),
            _ => Ok(()),
        };
        Self {
            output_bytes: section.get_if("output", output, enough).0,
            output_rate: section.get_if("output_rate", output_rate, enough).0,
            memory_bytes: section.maybe::<Bytes>("memory").map(|size| size.0),
            processes: section.get("processes", processes),
            disk_bytes: section.maybe::<Bytes>("disk").map(|size| size.0),
            file_bytes: section.maybe::<Bytes>("file").map(|size| size.0),
        }
    }
}
