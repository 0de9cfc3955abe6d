//! `[limits]`: what one worker may take of the host.

use std::num::NonZeroU32;

use crate::config::reader::Section;
use crate::config::setting::Bytes;

/// `[limits]`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of output (both streams together) before a worker is stopped.
    pub output_bytes: u64,
    /// Bytes of address space a process of the worker.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the worker's user.
    pub processes: Option<NonZeroU32>,
    /// Bytes of the largest file that a worker may write.
    pub file_bytes: Option<u64>,
}

/// More than any honest transcript, less than a disk.
fn output() -> Bytes {
    Bytes(256_000_000)
}

impl Limits {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let enough = |size: &Bytes| match size.0 {
            0..1000 => Err("must be at least 1kB".to_owned()),
            _ => Ok(()),
        };
        Self {
            output_bytes: section.get_if("output", output, enough).0,
            memory_bytes: section.maybe::<Bytes>("memory").map(|size| size.0),
            processes: section.maybe("processes"),
            file_bytes: section.maybe::<Bytes>("file").map(|size| size.0),
        }
    }
}
