//! What the process must never print: the last door before a log, a terminal or the words of a panic.
//!
//! Texts are cleaned where they enter the store, too; this is for what came another way.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing_subscriber::fmt::MakeWriter;

use crate::format::redact::Redactor;

static KNOWN: OnceLock<Redactor> = OnceLock::new();

/// The text without the secrets that this process was told of.
pub fn clean(text: &str) -> Cow<'_, str> {
    KNOWN
        .get()
        .map_or(Cow::Borrowed(text), |known| known.redact(text))
}

/// From now on; the first word counts. Panics are printed by us from then on.
pub(super) fn keep(known: Redactor) {
    let of_panics = known.clone();
    if KNOWN.set(known).is_ok() {
        std::panic::set_hook(hook(of_panics, |text| {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }));
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

fn hook(known: Redactor, print: impl Fn(&str) + Send + Sync + 'static) -> Hook {
    Box::new(move |info| {
        let backtrace = Backtrace::capture();
        let text = match backtrace.status() {
            BacktraceStatus::Captured => format!("{info}\n{backtrace}"),
            _ => info.to_string(),
        };
        print(&known.redact(&text));
    })
}

/// Makes writers that clean what they are given; an event comes in one piece.
pub(super) struct Clean<W>(pub(super) W, pub(super) Redactor);

/// A writer that cleans.
pub(super) struct CleanWriter<'a, W>(W, &'a Redactor);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Clean<W> {
    type Writer = CleanWriter<'a, W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        CleanWriter(self.0.make_writer(), &self.1)
    }
}

impl<W: Write> Write for CleanWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&self.1.redact_bytes(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_does_not_tell() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(hook(Redactor::new(["secret-token"]), move |text| {
            heard.lock().unwrap().push_str(text);
        }));
        let caught = std::panic::catch_unwind(|| panic!("the key is secret-token"));
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let said = said.lock().unwrap();
        assert!(
            said.contains("the key is [redacted]") && !said.contains("secret-token"),
            "{said}"
        );
    }
}
