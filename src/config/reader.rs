//! Reads sections key by key, so that one line of code a key is at once its type, its default, its documentation
//! for `config show`, and its entry in the list of known keys.
//!
//! Invariants: reading never stops at a mistake (the default stands in, and the fault is kept); a key that nobody asked
//! for is a fault; so is a variable or flag that nobody asked for.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::fault::{Fault, Origin, known_here, nearest, suggestion};
use super::secret::Secret;
use super::setting::{Misfit, Setting, read_text};
use super::{Effective, Override};

/// What all sections share: the file, the overrides, and what was found so far.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) home: &'a Path,
    pub(super) env: &'a Environment,
    pub(super) overrides: Vec<(Override, bool)>,
    pub(super) faults: Vec<Fault>,
    pub(super) effective: Vec<Effective>,
}

/// One table of the file (or none, where the file does not have it).
pub(super) struct Section<'s, 'a> {
    reader: &'s mut Reader<'a>,
    path: String,
    table: Option<&'s DeTable<'s>>,
    origin: Origin,
    known: Vec<&'static str>,
    elsewhere: Option<(&'static [&'static str], &'static str)>,
    open: bool,
}

impl<'a> Reader<'a> {
    /// Reads the whole file through `read`, then looks for what nobody asked for.
    pub(super) fn root<T>(&mut self, table: &DeTable<'_>, read: impl FnOnce(&mut Section<'_, 'a>) -> T) -> T {
        let origin = self.locate(&(0..0));
        let mut root = Section {
            reader: self,
            path: String::new(),
            table: Some(table),
            origin,
            known: Vec::new(),
            elsewhere: None,
            open: false,
        };
        let value = read(&mut root);
        root.finish();
        self.refuse_unused_overrides();
        value
    }

    /// A span of the file as line and column.
    pub(super) fn locate(&self, span: &Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Origin::File {
            path: self.file.to_owned(),
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }

    pub(super) fn fault(&mut self, at: Origin, message: impl Into<String>, help: Option<String>) {
        self.faults.push(Fault {
            at,
            message: message.into(),
            help,
        });
    }

    /// The override of a key: the last one given wins.
    fn take_override(&mut self, path: &str) -> Option<Override> {
        let path = normal(path);
        let mut found = None;
        for (entry, used) in self.overrides.iter_mut().filter(|(entry, _)| entry.key == path) {
            *used = true;
            found = Some(entry.clone());
        }
        found
    }

    fn refuse_unused_overrides(&mut self) {
        let known: Vec<String> = self.effective.iter().map(|entry| normal(&entry.key)).collect();
        let unused: Vec<Override> = self
            .overrides
            .iter()
            .filter(|(_, used)| !used)
            .map(|(entry, _)| entry.clone())
            .collect();
        for entry in unused {
            let help = nearest(&entry.key, known.iter().map(String::as_str))
                .map(|key| format!("did you mean '{key}'?"))
                .or_else(|| Some("`orchestrator config show` lists every key".to_owned()));
            self.fault(entry.origin, format!("there is no key '{}'", entry.key), help);
        }
    }
}

/// Keys are compared in lower case, with `_` for `-`: variable names can be written no other way.
pub(super) fn normal(path: &str) -> String {
    path.to_lowercase().replace('-', "_")
}

impl<'s, 'a> Section<'s, 'a> {
    /// The value of a key, or its default.
    pub(super) fn get<T: Setting>(&mut self, key: &'static str, default: fn() -> T) -> T {
        self.optional(key).unwrap_or_else(|| {
            let value = default();
            self.record(key, value.show(), Origin::Default);
            value
        })
    }

    /// The value of a key, which must also satisfy `rule` (a sentence where it does not).
    pub(super) fn get_if<T: Setting>(
        &mut self,
        key: &'static str,
        default: fn() -> T,
        rule: fn(&T) -> Result<(), String>,
    ) -> T {
        let value = self.get(key, default);
        match rule(&value) {
            Ok(()) => value,
            Err(message) => {
                let at = self.origin_of(key);
                self.fault(at, format!("{}: {message}", self.name(key)), None);
                default()
            }
        }
    }

    /// The value of a key that has no default. A wrong value is a fault and counts as absent.
    pub(super) fn optional<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let (found, origin) = self.find(key)?;
        match found {
            Ok(value) => {
                let value: T = value;
                self.record(key, value.show(), origin);
                Some(value)
            }
            Err(misfit) => {
                let at = match &misfit.span {
                    Some(span) => self.reader.locate(span),
                    None => origin,
                };
                self.fault(at, format!("{}: {}", self.name(key), misfit.message), misfit.help);
                None
            }
        }
    }

    /// [`Section::optional`], shown as `(not set)` where it is absent.
    pub(super) fn maybe<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let before = self.reader.effective.len();
        let value = self.optional(key);
        if self.reader.effective.len() == before {
            self.record(key, "(not set)".to_owned(), Origin::Default);
        }
        value
    }

    /// The value of a key that must be there; `None` after a fault.
    pub(super) fn required<T: Setting>(&mut self, key: &'static str, help: &str) -> Option<T> {
        let faults = self.reader.faults.len();
        let value = self.optional(key);
        if value.is_none() && self.reader.faults.len() == faults {
            let at = self.origin.clone();
            self.fault(
                at,
                format!("{} is missing", self.name(key)),
                Some(help.to_owned()),
            );
        }
        value
    }

    /// A secret: given, or the reference that is its default.
    pub(super) fn secret(&mut self, key: &'static str, default: Option<&str>) -> Option<Secret> {
        self.secret_shown(key, default, |_, secret| secret.to_string())
    }

    /// [`Section::secret`], shown as `show` makes it from the text as it was written.
    pub(super) fn secret_shown(
        &mut self,
        key: &'static str,
        default: Option<&str>,
        show: fn(&str, &Secret) -> String,
    ) -> Option<Secret> {
        self.known.push(key);
        let (text, origin) = match self.find::<String>(key) {
            Some((Ok(text), origin)) => (text, origin),
            Some((Err(misfit), origin)) => {
                // The misfit may quote the value: only what is expected may be said.
                let _ = misfit;
                self.fault(origin, format!("{}: expected a text", self.name(key)), None);
                return None;
            }
            None => (default?.to_owned(), Origin::Default),
        };
        match Secret::resolve(&text, self.reader.env, self.reader.home) {
            Ok(secret) => {
                self.record(key, show(&text, &secret), origin);
                Some(secret)
            }
            Err(message) => {
                self.fault(origin, format!("{}: {message}", self.name(key)), None);
                None
            }
        }
    }

    /// The secret that the text of a key, which was read already, refers to; `None` after a fault.
    pub(super) fn resolve(&mut self, key: &'static str, text: &str) -> Option<Secret> {
        let secret = Secret::resolve(text, self.reader.env, self.reader.home);
        secret
            .map_err(|message| {
                let at = self.origin_of(key);
                self.fault(at, format!("{}: {message}", self.name(key)), None);
            })
            .ok()
    }

    /// A table below this one.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        self.known.push(key);
        let table = self.table_at(key);
        self.child(self.name(key), table, read)
    }

    /// Names of the tables below `key` (`[runtimes.NAME]`), with where each begins. A fault where it is no table.
    pub(super) fn names(&mut self, key: &'static str) -> Vec<(String, Origin)> {
        self.known.push(key);
        let Some((table, _)) = self.table_at(key) else {
            return Vec::new();
        };
        table
            .keys()
            .map(|name| (name.get_ref().to_string(), self.reader.locate(&name.span())))
            .collect()
    }

    /// The table `[key.name]`.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        name: &str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        let path = format!("{}.{name}", self.name(key));
        let value = self.table_at(key).and_then(|(table, _)| table.get(name));
        let table = value.and_then(|value| self.as_table(value, &path));
        self.child(path, table, read)
    }

    /// The tables of a list (`[[key]]`); `None` where the key is absent. Each is called by its `name`, else its place.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_, 'a>) -> T,
    ) -> Option<Vec<T>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let at = self.reader.locate(&value.span());
            self.fault(at, format!("{} must be a list of tables", self.name(key)), None);
            return None;
        };
        let mut all = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("{}.{}", self.name(key), called(item, place));
            if let Some(table) = self.as_table(item, &path) {
                all.push(self.child(path, Some(table), &mut read));
            }
        }
        Some(all)
    }

    /// A section that the file does not have, for overrides and defaults alone.
    pub(super) fn absent<T>(
        &mut self,
        key: &'static str,
        name: &str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        self.child(format!("{}.{name}", self.name(key)), None, read)
    }

    /// Adds a fault at a place.
    pub(super) fn fault(&mut self, at: Origin, message: impl Into<String>, help: Option<String>) {
        self.reader.fault(at, message, help);
    }

    /// Where the table begins.
    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// Where the value of a key was set; the table's own place for a default.
    pub(super) fn origin_of(&self, key: &str) -> Origin {
        let path = self.name(key);
        let recorded = self.reader.effective.iter().rev().find(|entry| entry.key == path);
        match recorded.map(|entry| &entry.origin) {
            Some(origin) if *origin != Origin::Default => origin.clone(),
            _ => match self.table.and_then(|table| table.get(key)) {
                Some(value) => self.reader.locate(&value.span()),
                None => self.origin(),
            },
        }
    }

    /// Where an item of a list was set; the list's own place where that cannot be told.
    pub(super) fn origin_of_item(&self, key: &str, item: usize) -> Origin {
        let origin = self.origin_of(key);
        let list = self
            .table
            .and_then(|table| table.get(key))
            .and_then(|value| value.get_ref().as_array());
        match (origin, list.and_then(|list| list.get(item))) {
            (Origin::File { .. }, Some(item)) => self.reader.locate(&item.span()),
            (origin, _) => origin,
        }
    }

    /// Shows a default that is known only here.
    pub(super) fn show_default(&mut self, key: &str, value: &str) {
        self.record(key, value.to_owned(), Origin::Default);
    }

    /// Says of a key from `elsewhere` that nobody asked for why it is unknown here.
    pub(super) fn explain_unknown_keys(&mut self, elsewhere: &'static [&'static str], why: &'static str) {
        self.elsewhere = Some((elsewhere, why));
    }

    /// Leaves unknown keys unreported: what the section is could not be told, so that its keys cannot be judged.
    pub(super) fn forgive_unknown_keys(&mut self) {
        self.open = true;
    }

    fn find<T: Setting>(&mut self, key: &str) -> Option<(Result<T, Misfit>, Origin)> {
        if let Some(given) = self.reader.take_override(&self.name(key)) {
            return Some((read_text(&given.text), given.origin));
        }
        let value = self.table?.get(key)?;
        Some((T::read(value.get_ref()), self.reader.locate(&value.span())))
    }

    fn record(&mut self, key: &str, value: String, origin: Origin) {
        let key = self.name(key);
        self.reader.effective.push(Effective { key, value, origin });
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn table_at(&mut self, key: &str) -> Option<(&'s DeTable<'s>, Range<usize>)> {
        let value = self.table?.get(key)?;
        let path = self.name(key);
        self.as_table(value, &path)
    }

    fn as_table(
        &mut self,
        value: &'s Spanned<DeValue<'s>>,
        path: &str,
    ) -> Option<(&'s DeTable<'s>, Range<usize>)> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let at = self.reader.locate(&value.span());
            let misfit = Misfit::expected("a table", value.get_ref());
            self.fault(
                at,
                format!("{path}: {}", misfit.message),
                Some(format!("write [{path}]")),
            );
        }
        table.map(|table| (table, value.span()))
    }

    fn child<T>(
        &mut self,
        path: String,
        table: Option<(&'s DeTable<'s>, Range<usize>)>,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        let origin = match &table {
            Some((_, span)) => self.reader.locate(span),
            None => self.origin.clone(),
        };
        let mut child = Section {
            reader: &mut *self.reader,
            path,
            table: table.map(|(table, _)| table),
            origin,
            known: Vec::new(),
            elsewhere: None,
            open: false,
        };
        let value = read(&mut child);
        child.finish();
        value
    }

    fn finish(&mut self) {
        let Some(table) = self.table.filter(|_| !self.open) else {
            return;
        };
        for key in table
            .keys()
            .filter(|key| !self.known.contains(&key.get_ref().as_ref()))
        {
            let at = self.reader.locate(&key.span());
            let place = if self.path.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.path)
            };
            let name = key.get_ref();
            let (message, help) = match self.elsewhere.filter(|(keys, _)| keys.contains(&name.as_ref())) {
                Some((_, why)) => (format!("'{name}'{place} {why}"), Some(known_here(&self.known))),
                None => (
                    format!("unknown key '{}'{place}", name.escape_debug()),
                    suggestion(name, &self.known),
                ),
            };
            self.reader.fault(at, message, help);
        }
    }
}

fn called(item: &Spanned<DeValue<'_>>, place: usize) -> String {
    item.get_ref()
        .as_table()
        .and_then(|table| table.get("name"))
        .and_then(|name| name.get_ref().as_str())
        .map_or_else(|| (place + 1).to_string(), str::to_owned)
}
