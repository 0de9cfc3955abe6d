//! The one integration test binary: a file a behaviour.

mod claude_code;
mod worker_process;
