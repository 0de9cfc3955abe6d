//! The one integration test binary: a file a behaviour.
mod store;
mod store_tasks;
