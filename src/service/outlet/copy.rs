//! Reading the output of an attempt that ran elsewhere.
//!
//! Lines are given in their order. What is under way is waited for; at the end a gap is told instead.

use std::sync::Arc;

use super::MOST_BYTES;
use crate::store::{OutputLine, OutputLog, OutputOf, StoreError};

/// Lines that are read at a time.
const PAGE: u32 = 1000;

/// One output of an attempt, as the database has it.
pub struct Copy {
    log: Arc<OutputLog>,
    of: OutputOf,
    at: u64,
}

impl Copy {
    pub(super) fn new(log: Arc<OutputLog>, of: OutputOf) -> Self {
        Self { log, of, at: 0 }
    }

    /// The next lines without a gap; none where there are none now.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&mut self) -> Result<Vec<String>, StoreError> {
        let lines = self.log.read(&self.of, self.at, PAGE).await?;
        let mut next = Vec::with_capacity(lines.len());
        for OutputLine { starts, ends, text } in lines {
            if starts != self.at {
                break;
            }
            self.at = ends;
            next.push(text);
        }
        Ok(next)
    }

    /// Once nothing more comes: what lies behind a gap, with a word on what is missing.
    ///
    /// # Errors
    /// The store's.
    pub async fn rest(&mut self) -> Result<Vec<String>, StoreError> {
        let mut rest = Vec::new();
        while let Some(line) = self.log.read(&self.of, self.at, 1).await?.first() {
            let missing = line.starts - self.at;
            if missing > 0 {
                rest.push(format!(
                    "[{missing} bytes did not arrive from the node that ran this]"
                ));
            }
            self.at = line.starts;
            rest.extend(self.read().await?);
        }
        if self.at >= MOST_BYTES {
            rest.push("[the node that ran this has more of it]".to_owned());
        }
        Ok(rest)
    }
}
