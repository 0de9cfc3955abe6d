//! The text editor tool: view, create, replace and insert, beneath the workspace.

use serde::Deserialize;

use super::Answer;
use super::beneath::{Refused, Root};
use super::text::printable;

/// Most lines of one view.
const MAX_LINES: usize = 2_000;
/// Most characters of one line in a view.
const MAX_COLUMNS: usize = 2_000;
const MAX_ENTRIES: usize = 500;

/// The model's input; which fields are needed depends on the command.
#[derive(Debug, Default, Deserialize)]
pub struct Input {
    command: String,
    path: String,
    #[serde(default)]
    file_text: Option<String>,
    #[serde(default)]
    old_str: Option<String>,
    #[serde(default)]
    new_str: Option<String>,
    #[serde(default)]
    insert_line: Option<usize>,
    #[serde(default)]
    insert_text: Option<String>,
    #[serde(default)]
    view_range: Option<(usize, i64)>,
}

/// Carries out one command.
pub fn run(root: &Root, input: &Input) -> Answer {
    let done = match input.command.as_str() {
        "view" => view(root, input),
        "create" => create(root, input),
        "str_replace" => replace(root, input),
        "insert" => insert(root, input),
        other => Err(format!(
            "there is no command {other:?}; there are view, create, str_replace and insert"
        )),
    };
    match done {
        Ok(text) => Answer::ok(text),
        Err(text) => Answer::error(text),
    }
}

type Done = Result<String, String>;

fn view(root: &Root, input: &Input) -> Done {
    if root.is_folder(&input.path).map_err(say)? {
        let (names, count) = root.list(&input.path, MAX_ENTRIES).map_err(say)?;
        let more = count - names.len();
        let note = if more > 0 {
            format!("\n[… {more} more]")
        } else {
            String::new()
        };
        return Ok(format!("{}{note}", names.join("\n")));
    }
    let text = printable(&root.read(&input.path).map_err(say)?);
    let (first, last) = input.view_range.unwrap_or((1, -1));
    let first = first.max(1);
    let last = usize::try_from(last)
        .unwrap_or(usize::MAX)
        .min(first.saturating_add(MAX_LINES - 1));
    let total = text.lines().count();
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let shown: Vec<String> = lines
        .skip(first - 1)
        .take_while(|(at, _)| *at <= last)
        .map(|(at, line)| numbered(at, line))
        .collect();
    let note = if last < total {
        format!("\n[… {total} lines in all]")
    } else {
        String::new()
    };
    Ok(format!("{}{note}", shown.join("\n")))
}

fn numbered(at: usize, line: &str) -> String {
    match line.char_indices().nth(MAX_COLUMNS) {
        None => format!("{at:6}\t{line}"),
        Some((end, _)) => format!("{at:6}\t{} [… cut]", &line[..end]),
    }
}

fn create(root: &Root, input: &Input) -> Done {
    let text = need(&input.file_text, "file_text")?;
    root.write(&input.path, text.as_bytes()).map_err(say)?;
    Ok(format!("wrote {} ({} bytes)", input.path, text.len()))
}

fn replace(root: &Root, input: &Input) -> Done {
    let (old, new) = (
        need(&input.old_str, "old_str")?,
        input.new_str.as_deref().unwrap_or(""),
    );
    if old.is_empty() {
        return Err("old_str is empty; name the text to replace".to_owned());
    }
    let text = text_of(root, &input.path)?;
    match text.matches(old).count() {
        0 => Err(format!(
            "{}: old_str does not occur; view the file and copy the text exactly",
            input.path
        )),
        1 => save(root, &input.path, &text.replacen(old, new, 1)),
        count => Err(format!(
            "{}: old_str occurs {count} times; add lines around it to make it unique",
            input.path
        )),
    }
}

fn insert(root: &Root, input: &Input) -> Done {
    let after = input
        .insert_line
        .ok_or("insert_line is missing (0 is before the first line)")?;
    let new = need(
        input
            .insert_text
            .as_ref()
            .map_or(&input.new_str, |_| &input.insert_text),
        "insert_text",
    )?;
    let mut text = text_of(root, &input.path)?;
    let count = text.lines().count();
    if after > count {
        return Err(format!(
            "{}: insert_line {after} is behind the last line, {count}",
            input.path
        ));
    }
    let at = text.split_inclusive('\n').take(after).map(str::len).sum();
    let lead = if at > 0 && !text[..at].ends_with('\n') {
        "\n"
    } else {
        ""
    };
    let end = if new.ends_with('\n') { "" } else { "\n" };
    text.insert_str(at, &format!("{lead}{new}{end}"));
    save(root, &input.path, &text)
}

fn text_of(root: &Root, path: &str) -> Result<String, String> {
    let bytes = root.read(path).map_err(say)?;
    String::from_utf8(bytes).map_err(|_| format!("{path}: this is no UTF-8 text; use bash"))
}

fn save(root: &Root, path: &str, text: &str) -> Done {
    root.write(path, text.as_bytes()).map_err(say)?;
    Ok(format!("edited {path}"))
}

fn need<'a>(field: &'a Option<String>, name: &str) -> Result<&'a str, String> {
    field.as_deref().ok_or_else(|| format!("{name} is missing"))
}

fn say(refused: Refused) -> String {
    refused.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn call(root: &Root, input: Value) -> Answer {
        run(root, &serde_json::from_value(input).unwrap())
    }

    #[test]
    fn the_four_commands() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let content = || std::fs::read_to_string(folder.path().join("d/f.txt")).unwrap();
        assert!(
            !call(
                &root,
                json!({"command":"create","path":"d/f.txt","file_text":"one\ntwo"})
            )
            .is_error
        );
        let edits = [
            (
                json!({"command":"insert","path":"d/f.txt","insert_line":2,"insert_text":"three"}),
                "one\ntwo\nthree\n",
            ),
            (
                json!({"command":"insert","path":"d/f.txt","insert_line":0,"new_str":"zero\n"}),
                "zero\none\ntwo\nthree\n",
            ),
            (
                json!({"command":"str_replace","path":"d/f.txt","old_str":"two\n","new_str":"2\n"}),
                "zero\none\n2\nthree\n",
            ),
            (
                json!({"command":"str_replace","path":"d/f.txt","old_str":"zero\n"}),
                "one\n2\nthree\n",
            ),
        ];
        for (input, after) in edits {
            let answer = call(&root, input);
            assert!(!answer.is_error, "{}", answer.text);
            assert_eq!(content(), after);
        }
        let view = call(
            &root,
            json!({"command":"view","path":"d/f.txt","view_range":[2,2]}),
        );
        assert_eq!(view.text, "     2\t2\n[… 3 lines in all]");
        assert_eq!(
            call(
                &root,
                json!({"command":"view","path":"d/f.txt","view_range":[9,-1]})
            )
            .text,
            ""
        );
        assert_eq!(call(&root, json!({"command":"view","path":"."})).text, "d/");
    }

    #[test]
    fn wrong_inputs_change_nothing_and_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        std::fs::write(folder.path().join("f"), "a\na\n").unwrap();
        std::fs::write(folder.path().join("bin"), [0xff, 0xfe]).unwrap();
        for (input, word) in [
            (
                json!({"command":"str_replace","path":"f","old_str":"a","new_str":"b"}),
                "occurs 2 times",
            ),
            (
                json!({"command":"str_replace","path":"f","old_str":"x","new_str":"b"}),
                "does not occur",
            ),
            (
                json!({"command":"str_replace","path":"f","old_str":"","new_str":"b"}),
                "empty",
            ),
            (json!({"command":"str_replace","path":"f"}), "old_str is missing"),
            (
                json!({"command":"insert","path":"f","insert_text":"b"}),
                "insert_line is missing",
            ),
            (
                json!({"command":"insert","path":"f","insert_line":7,"insert_text":"b"}),
                "behind the last line",
            ),
            (json!({"command":"create","path":"f"}), "file_text is missing"),
            (json!({"command":"undo","path":"f"}), "there is no command"),
            (
                json!({"command":"view","path":"../x"}),
                "outside of the workspace",
            ),
            (
                json!({"command":"create","path":"/etc/x","file_text":""}),
                "outside of the workspace",
            ),
            (
                json!({"command":"str_replace","path":"bin","old_str":"a"}),
                "no UTF-8",
            ),
        ] {
            let answer = call(&root, input);
            assert!(answer.is_error && answer.text.contains(word), "{}", answer.text);
        }
        assert_eq!(
            std::fs::read_to_string(folder.path().join("f")).unwrap(),
            "a\na\n"
        );
    }

    #[test]
    fn a_view_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        std::fs::write(folder.path().join("f"), "x\n".repeat(5_000)).unwrap();
        std::fs::write(folder.path().join("wide"), "ü".repeat(100_000)).unwrap();
        let text = call(&root, json!({"command":"view","path":"f"})).text;
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(call(&root, json!({"command":"view","path":"wide"})).text.len() < 3 * MAX_COLUMNS);
    }
}
