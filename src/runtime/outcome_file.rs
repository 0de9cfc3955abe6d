//! outcome
/// The worker's own word.
#[derive(Debug)]
pub struct OutcomeFile;
