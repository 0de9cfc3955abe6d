//! Wall clocks that a story moves: a few lines of C that stand before the C library's in a node.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, built once a story.
pub struct Clocks {
    library: PathBuf,
}

/// One node's.
pub struct Clock {
    file: PathBuf,
}

impl Clocks {
    pub fn build(folder: &Path) -> Self {
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        fs::write(&source, include_str!("clock.c")).unwrap();
        let ran = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{ran:?}");
        Self { library }
    }

    /// Gives a node's process a clock of its own.
    pub fn give(&self, clock: &Clock, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CHAOS_CLOCK", &clock.file);
    }
}

impl Clock {
    pub fn new(file: PathBuf) -> Self {
        fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        Self { file }
    }

    /// So many seconds before (or behind) the right time from now on.
    pub fn set(&self, seconds: i64) {
        let file = File::options().write(true).open(&self.file).unwrap();
        // One store of eight bytes into a page that is mapped by the node.
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
