//! Logs: one event, one line, on standard error.
//!
//! Invariants: no text that comes from outside (a task's title, a worker's output) can start a new line or move the
//! cursor; no line has a known secret in it; standard output belongs to commands. Deliberately absent: metrics and traces.

mod secrets;

use std::fmt::{self, Write};
use std::io::IsTerminal;

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder};

use crate::config::section::{Format, Logging};
use crate::format::redact::Redactor;

pub use secrets::clean;

/// The variable that wins over `logging.level`.
pub const VARIABLE: &str = "ORCHESTRATOR_LOG";

/// Libraries that tell their own life at `info`, and as an error what is ours to judge; directives that name them still win.
const QUIET: &str = "tokio_cron_scheduler=warn,matrix_sdk=warn,matrix_sdk::http_client=off,matrix_sdk_base=warn,matrix_sdk_crypto=warn";

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// [`VARIABLE`] or `logging.level` cannot be read.
    #[error("'{text}' is no log level: {reason}; write error, warn, info, debug or trace")]
    BadLevel {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody has set up logging in this process before.
    #[error("logging is set up already")]
    AlreadyThere,
}

/// Sets up logging for the whole process: to standard error, as the configuration says. `level` is the value of
/// [`VARIABLE`], where it is set; `no_color` is whether `NO_COLOR` is set. What `known` knows is printed no more, by
/// whatever part of the process.
pub fn init(
    logging: &Logging,
    level: Option<&str>,
    no_color: bool,
    known: Redactor,
) -> Result<(), TelemetryError> {
    secrets::keep(known.clone());
    let colour = !no_color && std::io::stderr().is_terminal();
    let directives = level.unwrap_or(&logging.level);
    let writer = secrets::Clean(std::io::stderr, known);
    let subscriber = subscriber(logging.format, directives, colour, writer)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyThere)
}

type Boxed = Box<dyn tracing::Subscriber + Send + Sync>;

fn subscriber<W>(format: Format, directives: &str, colour: bool, writer: W) -> Result<Boxed, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder: SubscriberBuilder<_, _, EnvFilter, W> = tracing_subscriber::fmt()
        .with_env_filter(filter(directives)?)
        .with_writer(writer);
    Ok(match format {
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
        Format::Text => {
            let fields = format::debug_fn(write_field).delimited(" ");
            Box::new(builder.with_ansi(colour).fmt_fields(fields).finish())
        }
    })
}

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(format!("{QUIET},{directives}"))
        .map_err(|fault| TelemetryError::BadLevel {
            text: directives.to_owned(),
            reason: fault.to_string(),
        })
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let mut line = OneLine(writer);
    match field.name() {
        "message" => write!(line, "{value:?}"),
        name => write!(line, "{name}={value:?}"),
    }
}

/// Passes text on with every control character spelt out.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                c if c.is_control() => write!(self.0, "{}", c.escape_default())?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, directives: &str) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let writer = secrets::Clean(move || writer.clone(), Redactor::new(["secret-token"]));
        let subscriber = subscriber(format, directives, false, writer).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let hostile = "one\ntwo\r\u{1b}[2Jthree";
            tracing::info!(task = %hostile, quoted = hostile, "read {hostile}");
            tracing::info!(error = "it is secret-token", "secret-token");
            tracing::debug!("not at this level");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        for format in [Format::Text, Format::Json] {
            let text = logged(format, "info");
            assert_eq!(text.matches('\n').count(), 2, "{text:?}");
            assert!(
                !text.contains("secret-token") && text.contains("[redacted]"),
                "{text}"
            );
            assert!(
                text.ends_with('\n') && !text.contains(['\r', '\u{1b}']),
                "{text:?}"
            );
            assert!(text.contains("one\\ntwo"), "{text}");
        }
        let json: serde_json::Value =
            serde_json::from_str(logged(Format::Json, "info").lines().next().unwrap()).unwrap();
        assert_eq!(json["task"], "one\ntwo\r\u{1b}[2Jthree");
    }

    #[test]
    fn levels_are_honoured_and_bad_ones_refused() {
        assert_eq!(logged(Format::Text, "warn"), "");
        assert!(logged(Format::Text, "debug").contains("not at this level"));
        let said = filter("a=b=c").unwrap_err().to_string();
        assert!(said.contains("a=b=c"), "{said}");
    }
}
