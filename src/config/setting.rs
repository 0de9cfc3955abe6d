//! How a value of the file, of a variable or of a flag becomes a typed setting, and how it is shown again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::fault::suggestion;
use super::quantity::{parse_bytes, print_bytes};
use crate::format::duration;

/// Why a value does not fit.
#[derive(Debug)]
pub struct Misfit {
    /// Where, when narrower than the value itself: bytes of the file.
    pub(super) span: Option<Range<usize>>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: Option<String>,
}

impl Misfit {
    /// A misfit of the whole value.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            span: None,
            message: message.into(),
            help: None,
        }
    }

    /// The value is of another type.
    pub(super) fn expected(what: &str, value: &DeValue<'_>) -> Self {
        Self::new(format!("expected {what}, found {}", kind(value)))
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text '{}'", text.escape_debug()),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(word) => format!("{word}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// Reads it from TOML.
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit>;
    /// As `config show` prints it.
    fn show(&self) -> String;
}

/// Reads a variable's or a flag's text: as TOML where that fits, else as plain text.
pub(super) fn read_text<T: Setting>(text: &str) -> Result<T, Misfit> {
    let as_toml = DeValue::parse(text)
        .ok()
        .and_then(|value| T::read(value.get_ref()).ok());
    match as_toml {
        Some(value) => Ok(value),
        // Spans of a misfit point into a file, which this is not.
        None => T::read(&DeValue::String(text.into())).map_err(|fault| Misfit { span: None, ..fault }),
    }
}

impl Setting for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        value
            .as_bool()
            .ok_or_else(|| Misfit::expected("true or false", value))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

impl Setting for u32 {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        value
            .as_integer()
            .and_then(integer)
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| Misfit::expected("a whole number from 0", value))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for NonZeroU32 {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        u32::read(value)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| Misfit::expected("a whole number from 1", value))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        match value.as_str() {
            Some("") => Err(Misfit::new("expected a text, found an empty one")),
            Some(text) => Ok(text.to_owned()),
            None => Err(Misfit::expected("a text", value)),
        }
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for PathBuf {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        String::read(value).map(Self::from)
    }
    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for Vec<String> {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let Some(items) = value.as_array() else {
            return Err(Misfit::expected("a list of texts", value));
        };
        let item = |item: &toml::Spanned<DeValue<'_>>| {
            String::read(item.get_ref()).map_err(|fault| Misfit {
                span: Some(item.span()),
                ..fault
            })
        };
        items.iter().map(item).collect()
    }
    fn show(&self) -> String {
        let quoted: Vec<String> = self.iter().map(|item| format!("{item:?}")).collect();
        format!("[{}]", quoted.join(", "))
    }
}

impl Setting for BTreeMap<String, String> {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let Some(table) = value.as_table() else {
            return Err(Misfit::expected("a table of texts", value));
        };
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let name = |key: &toml::de::DeString<'_>| key.to_string();
            let text = String::read(value.get_ref()).map_err(|fault| Misfit {
                span: Some(value.span()),
                ..fault
            })?;
            Ok((name(key.get_ref()), text))
        };
        table.iter().map(entry).collect()
    }
    fn show(&self) -> String {
        let entries: Vec<String> = self
            .iter()
            .map(|(key, text)| format!("{key} = {text:?}"))
            .collect();
        match entries.is_empty() {
            true => "{}".to_owned(),
            false => format!("{{ {} }}", entries.join(", ")),
        }
    }
}

impl Setting for Duration {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        match value.as_str() {
            Some(text) => duration::parse(text).map_err(|e| Misfit::new(e.to_string())),
            None => Err(Misfit::expected("a duration such as \"20m\"", value)),
        }
    }
    fn show(&self) -> String {
        duration::print(*self)
    }
}

/// An amount of US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usd(pub f64);

impl Setting for Usd {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let amount = match value {
            DeValue::String(text) => duration::parse_budget(text),
            DeValue::Integer(number) => duration::parse_budget(number.as_str()),
            DeValue::Float(number) => duration::parse_budget(number.as_str()),
            _ => return Err(Misfit::expected("an amount such as \"$2.50\"", value)),
        };
        amount.map(Self).map_err(|e| Misfit::new(e.to_string()))
    }
    fn show(&self) -> String {
        duration::print_budget(self.0)
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Setting for Bytes {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let size = match value {
            DeValue::String(text) => parse_bytes(text),
            DeValue::Integer(number) => parse_bytes(number.as_str()),
            _ => return Err(Misfit::expected("a size such as \"256MB\"", value)),
        };
        size.map(Self).map_err(Misfit::new)
    }
    fn show(&self) -> String {
        print_bytes(self.0)
    }
}

impl Setting for SocketAddr {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        text.parse().map_err(|_| {
            Misfit::new(format!(
                "'{text}' is no address; write for example 127.0.0.1:7878"
            ))
        })
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for chrono_tz::Tz {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        text.parse().map_err(|_| Misfit {
            help: super::fault::nearest(&text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
                .map(|zone| format!("did you mean '{zone}'?"))
                .or_else(|| Some("use a name such as UTC or Europe/Berlin".to_owned())),
            ..Misfit::new(format!("'{text}' is no time zone"))
        })
    }
    fn show(&self) -> String {
        self.name().to_owned()
    }
}

/// Reads one of a fixed set of words.
pub(super) fn read_word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, Misfit> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let Some(text) = value.as_str() else {
        return Err(Misfit::expected(&format!("one of {}", names.join(", ")), value));
    };
    match words.iter().find(|(name, _)| *name == text) {
        Some((_, word)) => Ok(*word),
        None => Err(Misfit {
            help: suggestion(text, &names),
            ..Misfit::new(format!(
                "'{}' is none of {}",
                text.escape_debug(),
                names.join(", ")
            ))
        }),
    }
}

/// Makes an enum a setting: one word a variant, listed once.
macro_rules! words {
    ($type:ty { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl $crate::config::setting::Setting for $type {
            fn read(value: &toml::de::DeValue<'_>) -> Result<Self, $crate::config::setting::Misfit> {
                $crate::config::setting::read_word(value, &[$(($word, Self::$variant)),+])
            }
            fn show(&self) -> String {
                match self { $(Self::$variant => $word),+ }.to_owned()
            }
        }
    };
}
pub(super) use words;
