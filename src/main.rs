//! The program: hands its arguments to [`orchestrator::cli`].

use std::process::ExitCode;

use orchestrator::runtime::{acp, messages, supervisor};
use orchestrator::sandbox;

fn main() -> ExitCode {
    // First of all, so that the processes beside a worker stay as small as they can be.
    if let Some(code) = supervisor::dispatch(std::env::args_os()) {
        return code;
    }
    if let Some(code) = sandbox::dispatch(std::env::args_os()) {
        return code;
    }
    let verb = std::env::args_os().nth(1).unwrap_or_default();
    if verb == messages::VERB {
        return messages::worker::main();
    }
    if verb == acp::VERB {
        return acp::worker::main();
    }
    orchestrator::cli::main()
}
