//! Finding an attempt's process again, from its folder alone.

use std::io;
use std::path::Path;

use super::file;
use super::record::{Exit, Registration};
use super::running::Running;

/// What became of an attempt's process.
#[derive(Debug)]
pub enum Adopted {
    /// It runs.
    Running(Running),
    /// It has ended, and nobody of it is left.
    Ended(Exit),
    /// It was never started, and now never will be.
    NeverStarted,
    /// It was started, and its supervisor is gone without a record (killed, or the machine was restarted). What is
    /// left of its tree is to be killed by [`super::kill_strays`] before the next attempt.
    Vanished,
}

/// Whether the supervisor of an attempt lives; changes nothing.
pub fn is_alive(dir: &Path) -> bool {
    match file::get_json(&dir.join(file::SUPERVISOR)) {
        Ok(Some(Registration::Supervised { supervisor, .. })) => supervisor.is_alive(),
        _ => false,
    }
}

/// Finds the process of an attempt. Needs a tokio runtime, for the handle that it may return.
///
/// An attempt that is not registered is given up by this: a start that was under way at the time is refused by the
/// registration, so there is never a worker that nobody knows of.
pub fn adopt(dir: &Path) -> io::Result<Adopted> {
    match registration(dir)? {
        Registration::GivenUp => Ok(Adopted::NeverStarted),
        Registration::Supervised {
            supervisor, worker, ..
        } => {
            if let Some(exit) = file::get_json(&dir.join(file::EXIT))? {
                return Ok(Adopted::Ended(exit));
            }
            if supervisor.is_alive() {
                return Ok(Adopted::Running(Running::hold(dir, supervisor, worker)?));
            }
            // It may have ended between the two looks.
            let exit = file::get_json(&dir.join(file::EXIT))?;
            Ok(exit.map_or(Adopted::Vanished, Adopted::Ended))
        }
    }
}

fn registration(dir: &Path) -> io::Result<Registration> {
    let path = dir.join(file::SUPERVISOR);
    if let Some(found) = file::get_json(&path)? {
        return Ok(found);
    }
    match file::put_json_once(&path, &Registration::GivenUp) {
        Ok(()) => Ok(Registration::GivenUp),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => file::get_json(&path)?
            .ok_or_else(|| io::Error::other(format!("{} comes and goes", path.display()))),
        // There is no folder, so no supervisor can register in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Registration::GivenUp),
        Err(error) => Err(error),
    }
}
