//! Taking secrets out of bytes that come in pieces: what may be the beginning of one waits for the next piece.

use super::Redactor;

/// More is not held back: no form of a secret is as long, so it is no secret that goes on and on.
const HELD: usize = 64 * 1024;

/// A redactor at work on one stream.
#[derive(Debug)]
pub struct Stream<'a> {
    redactor: &'a Redactor,
    held: Vec<u8>,
    any: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(redactor: &'a Redactor) -> Self {
        Self {
            redactor,
            held: Vec::new(),
            any: false,
        }
    }

    /// Takes a piece; gives what can be shown by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let sight = self.redactor.look(&self.held);
        let safe = sight.safe.max(self.held.len().saturating_sub(HELD));
        // What is taken out as a whole is not cut in two.
        let cut = sight.found.iter().find(|r| r.start < safe && safe < r.end);
        let safe = cut.map_or(safe, |range| range.start);
        let rest = self.held.split_off(safe);
        let ready = std::mem::replace(&mut self.held, rest);
        self.clean(&ready)
    }

    /// What was held back, when nothing more comes, and whether there was any secret in the whole.
    pub fn finish(mut self) -> (Vec<u8>, bool) {
        let rest = std::mem::take(&mut self.held);
        (self.clean(&rest), self.any)
    }

    fn clean(&mut self, ready: &[u8]) -> Vec<u8> {
        let clean = self.redactor.redact_bytes(ready);
        self.any |= matches!(clean, std::borrow::Cow::Owned(_));
        clean.into_owned()
    }
}
