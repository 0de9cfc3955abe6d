//! A worker's last message, from a conversation that comes in pieces.

/// The longest message that is kept, in bytes from its end.
const LONGEST: usize = 256 * 1024;

/// What was said since the last call of a tool.
#[derive(Debug, Default)]
pub(super) struct LastMessage {
    text: String,
}

impl LastMessage {
    /// The next piece.
    pub(super) fn say(&mut self, piece: &str) {
        self.text.push_str(piece);
        let too_much = self.text.len().saturating_sub(LONGEST);
        self.text.drain(..self.text.ceil_char_boundary(too_much));
    }

    /// It works on: what it said before was not its last word.
    pub(super) fn works_on(&mut self) {
        self.text.clear();
    }

    /// What it said, without blanks around it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_came_after_the_last_call_and_bounded() {
        let mut last = LastMessage::default();
        last.say("I look.");
        last.works_on();
        last.say("It is ");
        last.say("fine. ");
        assert_eq!(last.text(), "It is fine.");
        last.say(&"é".repeat(LONGEST));
        assert!(last.text().len() <= LONGEST && last.text().starts_with('é'));
    }
}
