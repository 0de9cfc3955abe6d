//! The one integration test binary: a file a behaviour.
mod render;
mod simulation;
