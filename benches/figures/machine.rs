//! The machine that the figures are of.

use std::fs;
use std::process::Command;

/// In one line each: processor, load, system, compiler, commit.
pub fn statement() -> String {
    let facts = [
        ("processor", processor()),
        ("load before (1, 5, 15 min)", first_words("/proc/loadavg", 3)),
        ("memory", memory()),
        (
            "kernel",
            first_words("/proc/sys/kernel/ostype", 1)
                + " "
                + first_words("/proc/sys/kernel/osrelease", 1).as_str(),
        ),
        ("compiler", said("rustc", &["--version"])),
        (
            "commit",
            said("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        ),
    ];
    let lines: Vec<String> = facts.iter().map(|(k, v)| format!("- {k}: {v}")).collect();
    lines.join("\n")
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    format!("{model}, {cores} cores")
}

fn memory() -> String {
    field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned())
}

/// The first value of a key in a file of `key : value` lines.
pub fn field(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|l| l.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_words(file: &str, n: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().take(n).collect::<Vec<_>>().join(" ")
}

fn said(program: &str, args: &[&str]) -> String {
    let out = Command::new(program)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    out.map_or_else(
        |e| e.to_string(),
        |o| String::from_utf8_lossy(&o.stdout).trim().to_owned(),
    )
}
