//! The program: hands its arguments to [`orchestrator::cli`].

fn main() {}
