//! The one integration test binary: a file a behaviour.

mod gate;
mod workspace;
