//! Floor 2, where people read: what is told and in which words.
//!
//! Deliberately absent: a trait for surfaces. There is one, the console; the trait comes with the second.

pub mod console;
pub mod words;
