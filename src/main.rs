//! The program: hands its arguments to [`orchestrator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, so that the processes beside a worker stay as small as they can be.
    if let Some(code) = orchestrator::runtime::supervisor::dispatch(std::env::args_os()) {
        return code;
    }
    ExitCode::SUCCESS
}
