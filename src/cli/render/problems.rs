//! Mistakes in files: as snippets that point at the place (`lint`), and as a short list (`status`).

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::look::{CYAN, Look, RED, YELLOW};
use super::text;
use crate::service::view::Problem;

/// How many mistakes a short list shows.
const BRIEF: usize = 5;
/// Characters of a line that are shown on each side of the mistake.
const AROUND: usize = 200;

/// Whether any of them is an error.
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(is_error)
}

/// `2 errors, 1 warning`; empty where there is none.
pub fn tally(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|p| is_error(p)).count();
    let parts = [(errors, "error"), (problems.len() - errors, "warning")];
    let told = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| text::count(*n, noun));
    told.collect::<Vec<_>>().join(", ")
}

/// A short list, errors first: where, what, and what to do.
pub fn brief(problems: &[Problem], look: &Look) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| !is_error(problem));
    let mut out = look.heading(&format!("Problems ({})", tally(problems))) + "\n";
    for problem in sorted.iter().take(BRIEF) {
        push_brief(&mut out, problem, look);
    }
    if sorted.len() > BRIEF {
        let more = format!("  and {} more: orchestrator lint", sorted.len() - BRIEF);
        out.push_str(&(look.dim(&more) + "\n"));
    }
    out
}

fn push_brief(out: &mut String, problem: &Problem, look: &Look) {
    let (mark, style) = if is_error(problem) {
        ("✗", RED)
    } else {
        ("⚠", YELLOW)
    };
    let words = format!("{} {}", place(problem), text::line(&problem.message));
    for (n, line) in text::wrap(&words, look.width.saturating_sub(4))
        .iter()
        .enumerate()
    {
        let mark = if n == 0 {
            look.paint(style, mark)
        } else {
            " ".to_owned()
        };
        out.push_str(&format!("  {mark} {line}\n"));
    }
    let help = problem
        .help
        .as_deref()
        .map(text::line)
        .filter(|help| !help.is_empty());
    for (n, line) in help
        .iter()
        .flat_map(|h| text::wrap(h, look.width.saturating_sub(10)))
        .enumerate()
    {
        let label = if n == 0 {
            look.paint(CYAN, "help:")
        } else {
            " ".repeat(5)
        };
        out.push_str(&format!("    {label} {line}\n"));
    }
}

/// What is wrong with a variable or a flag has line 0: it has a name and no place in it.
fn place(problem: &Problem) -> String {
    let file = text::line(&problem.file);
    match problem.line {
        0 => format!("{file}:"),
        line => format!("{file}:{line}:{}", problem.column),
    }
}

/// Each mistake with the line it is in, underlined, and its cure. `source` gives a file's bytes by the name
/// that the problem has for it; without them the place alone is named. Columns count characters.
pub fn problems(problems: &[Problem], source: impl Fn(&str) -> Option<Vec<u8>>, look: &Look) -> String {
    let renderer = if look.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(look.width);
    let mut files: std::collections::BTreeMap<&str, Option<String>> = std::collections::BTreeMap::new();
    let mut out = String::new();
    for problem in problems {
        let text = files.entry(&problem.file).or_insert_with(|| {
            source(&problem.file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        });
        let line = text.as_deref().and_then(|text| excerpt(text, problem));
        out.push_str(&renderer.render(&report(problem, line)));
        out.push_str("\n\n");
    }
    out
}

/// A piece of a line, and the bytes in it that the mistake is about.
struct Excerpt {
    text: String,
    span: std::ops::Range<usize>,
}

fn report(problem: &Problem, line: Option<Excerpt>) -> Vec<Group<'_>> {
    let level = if is_error(problem) {
        Level::ERROR
    } else {
        Level::WARNING
    };
    let title = level
        .primary_title(text::line(&problem.message))
        .id(text::line(&problem.code));
    let file = text::line(&problem.file);
    let mut group = match line {
        Some(Excerpt { text, span }) => title.element(
            Snippet::source(text)
                .line_start(problem.line)
                .path(file)
                .annotation(AnnotationKind::Primary.span(span)),
        ),
        None if problem.line == 0 => title.element(Origin::path(file)),
        None => title.element(Origin::path(file).line(problem.line).char_column(problem.column)),
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(text::lines(help).join("\n")));
    }
    vec![group]
}

/// The line of the mistake, from the column to its end underlined; a giant line is cut behind the column.
fn excerpt(source: &str, problem: &Problem) -> Option<Excerpt> {
    let line = source.split('\n').nth(problem.line.checked_sub(1)?)?;
    let column = problem.column.saturating_sub(1);
    if column > AROUND {
        // The columns shown would be wrong for a line that is cut at its front.
        return None;
    }
    // The renderer draws ASCII control characters as symbols, and prints the others as they are.
    let harmful = |c: char| text::is_hidden(c) && !c.is_ascii();
    let visible = |c: char| {
        if harmful(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let text: String = line
        .trim_end()
        .chars()
        .take(column + AROUND)
        .map(visible)
        .collect();
    let start = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
    let span = start..text.len();
    Some(Excerpt { text, span })
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == "error"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::render::fixtures::{look, problem};

    proptest! {
        #[test]
        fn any_place_in_any_file_is_shown(
            source in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[a-zé日\u{301}\t\r\n\u{1b}]{0,60}",
            line in 0usize..8,
            column in 0usize..70,
            width in 1usize..120,
        ) {
            for bytes in [source, text.into_bytes()] {
                let page = problems(&[problem(line, column, "error", "m", None)], |_| Some(bytes.clone()), &look(width));
                prop_assert!(page.contains("PROACTIVE-JOBS.md"));
                prop_assert!(!page.chars().any(|c| c != '\n' && c.is_control()), "{page:?}");
            }
        }
    }
}
