//! The program: hands its arguments to [`orchestrator::cli`].

use std::process::ExitCode;

use orchestrator::runtime::messages;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == messages::VERB)
    {
        return messages::worker::main();
    }
    ExitCode::SUCCESS
}
