//! S09: secrets in whatever an agent prints, on every surface; and the recall, measured for each encoding.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use orchestrator::format::redact::{MARK, Redactor};

use crate::main_job::world::{World, section};

const SECRET: &str = "sk-s09/\"x+y z\\\u{e9}=end99";

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, b| {
        let _ = write!(all, "{b:02x}");
        all
    })
}

/// As the usual library does it: everything but letters, digits and four marks.
fn url(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().fold(String::new(), |mut all, b| {
        let _ = if plain(b) {
            write!(all, "{}", char::from(b))
        } else {
            write!(all, "%{b:02X}")
        };
        all
    })
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every tenth character in another colour.
fn coloured(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let parts: Vec<String> = chars.chunks(10).map(|part| part.iter().collect()).collect();
    parts.join("\x1b[1;32m")
}

fn broken(text: &str, with: &str) -> String {
    let middle = text
        .char_indices()
        .nth(text.chars().count() / 2)
        .map_or(0, |(at, _)| at);
    format!("{}{with}{}", &text[..middle], &text[middle..])
}

/// The ways in which an agent prints a secret; none of their texts may be found again.
fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let twins = secret.encode_utf16().map(|u| format!("\\u{u:04X}")).collect();
    vec![
        ("raw", secret.to_owned()),
        ("base64", STANDARD.encode(secret)),
        ("base64-url", URL_SAFE_NO_PAD.encode(format!("key={secret}"))),
        ("url", url(secret)),
        ("json", json(secret)),
        ("json-escaped", twins),
        ("hex", hex(secret)),
        ("colours", coloured(secret)),
        ("two-lines", broken(secret, "\n")),
    ]
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap() {
            meta if meta.is_dir() => files_below(&path, found),
            meta if meta.is_file() => found.push(path),
            _ => {}
        }
    }
}

fn assert_clean(what: &str, bytes: &[u8], secrets: &[&str]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        for (name, form) in encodings(secret) {
            // The ends of base64 depend on what stands around it.
            let part = if name.starts_with("base64") {
                &form[3..form.len() - 4]
            } else {
                &form
            };
            let at = text.find(part);
            let around = at.map(|at| {
                text[text.floor_char_boundary(at.saturating_sub(80))..]
                    .chars()
                    .take(200)
            });
            let around: Option<String> = around.map(Iterator::collect);
            assert_eq!(around, None, "{what}: {name}");
        }
    }
}

fn more(world: &World, name: &str) -> String {
    world.path(name).display().to_string()
}

/// An instance with a secret, and two workers and a check that print it in every form.
fn indiscreet() -> World {
    let world = World::configured(
        "max_concurrent = 2\nlifetime_attempts = 2\n",
        "[runtimes.api]\nkind = \"messages\"\napi_key = \"file:../key\"\n",
    );
    fs::write(world.path("key"), SECRET).unwrap();
    let mut said: String = encodings(SECRET)
        .iter()
        .map(|(name, form)| format!("{name}: {form}\n"))
        .collect();
    let filler = "x".repeat(70_000);
    let _ = writeln!(said, "long: {filler}{SECRET}{filler}");
    fs::write(world.path("said"), &said).unwrap();
    let worker = format!(
        "cat {said}; cat {said} >&2; key=$(cat {key}); echo $ORCHESTRATOR_TOKEN; echo $ORCHESTRATOR_TOKEN > {token}\n\
         orchestrator agent log \"key $key\"; orchestrator agent log \"$(base64 {key}) $ORCHESTRATOR_TOKEN\"\n\
         orchestrator agent heartbeat --phase \"with $key\"\n",
        said = more(&world, "said"),
        key = more(&world, "key"),
        token = more(&world, "token"),
    );
    world.worker(
        "asks",
        &format!("{worker}orchestrator agent blocked --reason \"is it $key?\"\n"),
    );
    world.worker("tries", "touch work.$ORCHESTRATOR_ATTEMPT\n");
    let check = format!(
        "#### Validation\n```sh\ncat {0}; base64 {0}; exit 1\n```\n",
        more(&world, "key")
    );
    world.save_tasks(&[
        &section("asks", ""),
        &format!("{}\n{check}", section("tries", "")),
    ]);
    world
}

/// Seen to fail with `clean_transcript` taken out of `Drive::conclude` (stdout.log), and with a token that `redactor_of`
/// does not know (progress file).
#[test]
fn no_surface_shows_what_an_agent_prints_of_a_secret() {
    let world = indiscreet();
    let _up = world.up();
    world.until_state("asks", "blocked");
    world.until_state("tries", "blocked");
    let token = fs::read_to_string(world.path("token")).unwrap();
    let secrets = [SECRET, token.trim()];
    for args in [
        &["show", "asks"] as &[&str],
        &["show", "tries"],
        &["show", "asks", "--json"],
        &["show", "tries", "--json"],
        &["status"],
        &["status", "--json"],
        &["why", "asks"],
        &["why", "tries"],
        &["logs", "asks"],
        &["logs", "asks", "--raw"],
        &["logs", "asks", "--json"],
        &["plan"],
        &["config", "show"],
    ] {
        let ran = world.run(args);
        assert_clean(&args.join(" "), ran.out.as_bytes(), &secrets);
        assert_clean(&args.join(" "), ran.err.as_bytes(), &secrets);
    }
    assert!(world.run(&["why", "asks"]).out.contains(MARK));
    assert!(world.run(&["logs", "asks", "--raw"]).out.matches(MARK).count() >= 10);
    assert_clean("reports", world.reports().as_bytes(), &secrets);
    assert_clean("log", world.log().as_bytes(), &secrets);
    let mut files = Vec::new();
    files_below(&world.root(), &mut files);
    let transcripts = files.iter().filter(|path| path.ends_with("stdout.log")).count();
    assert!(transcripts >= 3, "{files:?}");
    // The script of the worker and the section of the check name the key's file, not the key.
    for path in files {
        assert_clean(&path.display().to_string(), &fs::read(&path).unwrap(), &secrets);
    }
}

/// Numbers without a seed from outside: the same secrets at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn text(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(b'!' + u8::try_from(self.roll(94)).unwrap()))
            .collect()
    }
}

/// The recall of each encoding over 500 secrets, each inside a longer text; the figures stand in docs/SECURITY.md.
/// Seen to fail with the hexadecimal forms taken out of `format::redact::forms::of`.
#[test]
fn recall_by_encoding() {
    type Encode = fn(&str) -> String;
    let table: [(&str, Encode, usize); 10] = [
        ("raw", str::to_owned, 500),
        ("base64", |text| STANDARD.encode(text), 500),
        ("base64, URL-safe", |text| URL_SAFE_NO_PAD.encode(text), 500),
        ("URL", url, 500),
        ("JSON", json, 500),
        ("hexadecimal", hex, 500),
        ("with colours inside", coloured, 500),
        ("over two lines", |text| broken(text, "\n"), 500),
        ("over two lines, indented", |text| broken(text, "\r\n    "), 500),
        (
            "over two lines, each with a time before it",
            |text| broken(text, "\n12:00:01 "),
            0,
        ),
    ];
    let mut dice = Dice(9);
    let mut found = [0; 10];
    for _ in 0..500 {
        let length = 8 + dice.roll(56);
        let secret = dice.text(length);
        let redactor = Redactor::new([&secret]);
        for (n, (_, encode, _)) in table.iter().enumerate() {
            let before = "a=".repeat(dice.roll(3));
            let text = match n {
                // Of these the middle is broken or coloured, so the secret stands alone.
                6.. => format!("said: {} end", encode(&secret)),
                _ => format!("said: {} end", encode(&format!("{before}{secret};"))),
            };
            found[n] += usize::from(redactor.redact(&text).contains(MARK));
        }
    }
    for (n, (name, _, wanted)) in table.iter().enumerate() {
        println!("recall, {name}: {} of 500", found[n]);
        assert_eq!(found[n], *wanted, "{name}");
    }
}
