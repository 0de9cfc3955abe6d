//! The house itself: floors, sizes, names, and that every test file is run. It reads the sources as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have.
const LONGEST_FILE: usize = 500;
/// The one adapter that stands on another, on purpose: what the gate judges is a workspace.
const STANDS_ON: [(&str, &str); 1] = [("gate", "workspace")];
/// Lines of code that the smallest whole runtime may have.
const SMALLEST_RUNTIME: usize = 150;
/// Lines that the middle one of all source files may have.
const MEDIAN_FILE: usize = 180;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` file below a folder, by its path from there.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let base = root().join(folder);
    let mut found = BTreeMap::new();
    let mut folders = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(&base).unwrap().to_owned(), text);
            }
        }
    }
    assert!(found.len() > 3, "no sources in {}", base.display());
    found
}

/// The floors as the table in the documentation of src/lib.rs has them: module to number.
fn floors() -> BTreeMap<String, u8> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut floors = BTreeMap::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = row.split('|').map(str::trim);
        let (Some(floor), Some(modules)) = (cells.next(), cells.next()) else {
            continue;
        };
        let Ok(floor) = floor.chars().take(1).collect::<String>().parse() else {
            continue;
        };
        for name in modules.split_whitespace() {
            let name = name.trim_matches(|c| "[]`,".contains(c));
            floors.insert(name.trim_start_matches("mod@").to_owned(), floor);
        }
    }
    floors
}

/// The module at the top that a source file belongs to; `None` for lib.rs and main.rs.
fn module(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// A text without its comments, so that documentation may name what code may not.
fn code(text: &str) -> String {
    let strip = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    text.lines().map(|line| strip(line) + "\n").collect()
}

/// The modules at the top that a text names as `crate::NAME`, or within `crate::{...}`.
fn named_modules(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.push(word(rest)),
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first words of the entries of `a::b, c::{d, e}}...`.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

/// A file of tests that belongs to a module of the same name.
fn is_tests(path: &Path) -> bool {
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name == "tests" || name.ends_with("_tests")
}

fn violations(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_reader_of_sources_reads_what_it_must() {
    let code = code(
        "use crate::{config::{a, b}, store};\n// crate::cli\nlet x = crate::gate::y(); // crate::http\nmycrate::chat::z();",
    );
    assert_eq!(named_modules(&code), ["config", "store", "gate"]);
    assert_eq!(module(Path::new("store/sqlite/row.rs")).as_deref(), Some("store"));
    assert_eq!(module(Path::new("telemetry.rs")).as_deref(), Some("telemetry"));
    assert_eq!(module(Path::new("main.rs")), None);
}

#[test]
fn every_module_has_its_floor() {
    let floors = floors();
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    violations(
        modules
            .filter(|name| !floors.contains_key(*name))
            .map(|name| format!("{name} is missing in the table of floors in src/lib.rs"))
            .collect(),
    );
    assert_eq!(
        (floors["domain"], floors["config"], floors["store"], floors["cli"]),
        (0, 1, 2, 4)
    );
}

#[test]
fn nobody_uses_a_floor_above_and_adapters_never_each_other() {
    let floors = floors();
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        let Some(own) = module(&path) else { continue };
        let Some(floor) = floors.get(&own) else { continue };
        for other in named_modules(&code(&text)).iter().filter(|other| **other != own) {
            match floors.get(other) {
                Some(higher) if higher > floor => {
                    found.push(format!(
                        "{}: {own} (floor {floor}) uses {other} (floor {higher})",
                        path.display()
                    ));
                }
                Some(2) if *floor == 2 && !STANDS_ON.contains(&(&own, other)) => {
                    found.push(format!(
                        "{}: the adapter {own} uses the adapter {other}",
                        path.display()
                    ));
                }
                _ => {}
            }
        }
    }
    violations(found);
}

#[test]
fn the_pure_floor_is_pure() {
    let outside = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::io::",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "Utc::now",
        "Local::now",
        "tokio",
        "tracing",
        "reqwest",
        "sqlx",
        "async fn",
        "println!",
        "eprintln!",
        "Uuid::new_v4",
        "Uuid::now_v7",
        "rand::",
    ];
    let floors = floors();
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        if is_tests(&path) || module(&path).and_then(|own| floors.get(&own).copied()) != Some(0) {
            continue;
        }
        let code = code(&text);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for word in outside.iter().filter(|word| code.contains(**word)) {
            found.push(format!("{}: '{word}' on the pure floor", path.display()));
        }
    }
    violations(found);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut found = Vec::new();
    let mut lengths = Vec::new();
    for folder in ["src", "tests/it"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            if folder == "src" {
                lengths.push(lines);
            }
            if lines > LONGEST_FILE {
                found.push(format!(
                    "{folder}/{}: {lines} lines, {LONGEST_FILE} allowed",
                    path.display()
                ));
            }
            if !text.starts_with("//!") && !is_tests(&path) {
                found.push(format!(
                    "{folder}/{}: does not begin with what it is (`//!`)",
                    path.display()
                ));
            }
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median > MEDIAN_FILE {
        found.push(format!(
            "the middle one of all files in src has {median} lines, {MEDIAN_FILE} allowed"
        ));
    }
    violations(found);
}

/// docs/WORKERS.md promises that a runtime is written in so many lines, and names this one.
#[test]
fn a_whole_runtime_is_small() {
    let text = fs::read_to_string(root().join("src/runtime/command.rs")).unwrap();
    let (text, _) = text.split_once("#[cfg(test)]").unwrap();
    let code = code(text);
    assert!(code.contains("impl Runtime for") && code.contains("impl Reader for"));
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= SMALLEST_RUNTIME, "it has {lines} lines of code");
}

#[test]
fn nothing_is_left_to_do_and_no_name_is_empty() {
    let unfinished = [
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "// TODO",
        "// FIXME",
        "// XXX",
    ];
    let hollow = [
        "Manager",
        "Helper",
        "Util",
        "Utils",
        "Handler",
        "Processor",
        "Impl",
        "Data",
        "Info",
    ];
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        for word in unfinished.iter().filter(|word| text.contains(**word)) {
            found.push(format!("{}: '{word}'", path.display()));
        }
        for name in defined_types(&code(&text)) {
            if hollow.iter().any(|suffix| name.ends_with(suffix)) {
                found.push(format!("{}: '{name}' says nothing", path.display()));
            }
        }
    }
    violations(found);
}

fn defined_types(code: &str) -> Vec<String> {
    let keywords = ["struct ", "enum ", "trait ", "type "];
    let after = |line: &str| {
        let line = line.trim_start();
        let line = line
            .strip_prefix("pub ")
            .or(line.strip_prefix("pub(super) "))
            .or(line.strip_prefix("pub(crate) "))
            .unwrap_or(line);
        keywords
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword))
            .map(word)
    };
    code.lines().filter_map(after).collect()
}

#[test]
fn every_test_file_is_run() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let listed: Vec<String> = main
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("pub ")
                .strip_prefix("mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for path in sources("tests/it").into_keys() {
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let name = first.strip_suffix(".rs").unwrap_or(first);
        if name != "main" && name != "fixtures" && !listed.iter().any(|listed| listed == name) {
            found.push(format!(
                "tests/it/{} is not listed in tests/it/main.rs",
                path.display()
            ));
        }
    }
    let strays = fs::read_dir(root().join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    found.extend(
        strays
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| format!("{} is outside the one test binary", path.display())),
    );
    violations(found);
}
