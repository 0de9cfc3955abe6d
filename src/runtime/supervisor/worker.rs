//! The worker's first process: from the supervisor's program to the worker's own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::signal::SigSet;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Signal, chdir, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdin, stdin};

use super::limits;
use crate::runtime::process::{Order, Registration, file};

/// Becomes the worker's program; returns only when that failed, with the reason told to the supervisor.
pub(super) fn become_worker(dir: &Path) -> ExitCode {
    // Before the word to go: whoever is orphaned earlier than this reads the end of the line instead of the word.
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(mut line) = take_line() else {
        return ExitCode::FAILURE;
    };
    let mut word = [0];
    if line.read_exact(&mut word).is_err() {
        return ExitCode::FAILURE;
    }
    let reason = run(dir).err().unwrap_or_default();
    let _ = line.write_all(reason.as_bytes());
    ExitCode::from(127)
}

/// Moves the supervisor's line away from standard input, to where the worker's program cannot inherit it.
fn take_line() -> io::Result<UnixStream> {
    let line: OwnedFd = fcntl_dupfd_cloexec(stdin(), 3)?;
    Ok(UnixStream::from(line))
}

fn run(dir: &Path) -> Result<(), String> {
    let order: Option<Order> = file::get_json(&dir.join(file::SPEC)).map_err(|error| error.to_string())?;
    let order = order.ok_or_else(|| format!("{} is missing", file::SPEC))?;
    let mut argv = order.argv.into_iter().map(std::ffi::OsString::from);
    let program = argv
        .next()
        .ok_or("the command is empty; name a program in the runtime's configuration")?;
    let cwd = std::ffi::OsString::from(order.cwd);
    let input =
        File::open(dir.join(file::STDIN)).map_err(|error| format!("cannot open its input: {error}"))?;
    dup2_stdin(input).map_err(|error| format!("cannot set its input: {error}"))?;
    chdir(Path::new(&cwd))
        .map_err(|error| format!("cannot enter the workspace {}: {error}", cwd.display()))?;
    // A program inherits what is blocked here, and would never hear a polite stop.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| format!("cannot reset its signals: {error}"))?;
    close_inherited_at_exec().map_err(|error| format!("cannot close inherited files: {error}"))?;
    let group = match file::get_json(&dir.join(file::SUPERVISOR)).map_err(|error| error.to_string())? {
        Some(Registration::Supervised { group, .. }) => group,
        _ => return Err(format!("{} does not name this worker", file::SUPERVISOR)),
    };
    limits::apply(&order.limits, &group).map_err(|error| format!("cannot set its limits: {error}"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a home of processes: this one becomes the worker"
    )]
    let error = Command::new(&program).args(argv).exec();
    Err(why(&program, &error))
}

/// Files that the orchestrator's own starter left open (a shell's, a service manager's) are nothing for a worker.
fn close_inherited_at_exec() -> io::Result<()> {
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        mark_close_on_exec(fd);
    }
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "there is no owned handle for a descriptor that came by inheritance"
)]
fn mark_close_on_exec(fd: RawFd) {
    // SAFETY: this process has one thread, so nobody closes or opens a descriptor during the call; the number is used
    // for a flag only, and one that is closed already (the listing's own) makes the call fail with EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = fcntl_setfd(fd, FdFlags::CLOEXEC);
}

fn why(program: &std::ffi::OsStr, error: &io::Error) -> String {
    let name = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no program '{name}' on the PATH; install it, or correct the runtime's command")
        }
        io::ErrorKind::PermissionDenied => {
            format!("'{name}' may not be run; check its permissions (chmod +x)")
        }
        _ => format!("'{name}' cannot be run: {error}"),
    }
}
