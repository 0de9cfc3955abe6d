//! A page that is drawn over itself: for `status --watch`. The loop is the caller's.

/// Takes the screen: the other buffer, no cursor.
pub const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// Gives it back as it was.
pub const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The page drawn from the top left corner, what was below it erased. Never blanks the screen first, so it
/// does not flicker; `rows` are the terminal's, and what does not fit is cut and said.
pub fn frame(page: &str, rows: Option<usize>) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let room = rows.unwrap_or(usize::MAX).max(2) - 1;
    let mut out = String::from("\x1b[H");
    let shown = if lines.len() > room {
        room.saturating_sub(1)
    } else {
        lines.len()
    };
    for line in &lines[..shown] {
        out.push_str(line);
        out.push_str("\x1b[K\r\n");
    }
    if shown < lines.len() {
        out.push_str(&format!("… {} more lines\x1b[K\r\n", lines.len() - shown));
    }
    out.push_str("\x1b[J");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_and_erases_what_was_there() {
        assert_eq!(frame("a\nb\n", Some(24)), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        let long = "x\n".repeat(50);
        let cut = frame(&long, Some(10));
        assert_eq!(cut.matches('\n').count(), 9);
        assert!(cut.contains("… 42 more lines"));
    }
}
