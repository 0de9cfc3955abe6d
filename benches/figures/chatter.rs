//! Workers that are this program itself: one that says a line now and then, one that floods.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The roles, as the first argument names them.
pub const CHATTER: &str = "__chatter";
/// Writes as fast as it can.
pub const FLOOD: &str = "__flood";
/// Between two lines: 50 a second.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Plays a role if the arguments ask for one; then it does not return before its reader goes.
pub fn play() -> bool {
    let played = match std::env::args().nth(1).as_deref() {
        Some(CHATTER) => chatter(),
        Some(FLOOD) => flood(),
        _ => return false,
    };
    // The reader is gone.
    drop(played);
    true
}

/// Lines like those of an agent. Each tells by how many microseconds the one before was late: what the worker waited for its
/// turn and for its pipe.
fn chatter() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = "reads the file, changes a line of it, and runs the tests that belong to it; ".repeat(2);
    let (begun, mut late) = (Instant::now(), 0);
    for n in 1_u32.. {
        let due = begun + PAUSE * n;
        sleep(due.saturating_duration_since(Instant::now()));
        let line = format!("{{\"type\":\"assistant\",\"n\":{n},\"late_us\":{late},\"text\":\"{text}\"}}\n");
        out.write_all(line.as_bytes())?;
        late = due.elapsed().as_micros();
    }
    Ok(())
}

fn flood() -> io::Result<()> {
    let line = "x".repeat(199) + "\n";
    let lines = line.repeat(1 << 12);
    let mut out = io::stdout().lock();
    loop {
        out.write_all(lines.as_bytes())?;
    }
}
