//! Chats: what people see there, what they can do there, and what they go through with it.

mod alike;
mod approvals;
mod faults;
mod fleet;
#[cfg(feature = "matrix")]
mod matrix;
mod missed;
mod never_dark;
mod room;
mod scene;
mod slack;
mod steering;
mod stories;
mod talks;
mod who;
