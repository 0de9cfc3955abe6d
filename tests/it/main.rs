//! The one integration test binary: a file a behaviour.

mod queue_edit;
mod queue_file;
mod queue_properties;
mod queue_size;
mod queue_support;
