//! Floor 3: the loops. Load, decide, commit, perform.

pub mod view;
