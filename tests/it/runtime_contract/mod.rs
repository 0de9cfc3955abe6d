//! What holds for every runtime: the same stories, told of each.

pub mod stage;
