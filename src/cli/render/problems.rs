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

fn place(problem: &Problem) -> String {
    format!(
        "{}:{}:{}",
        text::line(&problem.file),
        problem.line,
        problem.column
    )
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
struct Excerpt<'a> {
    text: &'a str,
    span: std::ops::Range<usize>,
}

fn report<'a>(problem: &'a Problem, line: Option<Excerpt<'a>>) -> Vec<Group<'a>> {
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
        None => title.element(Origin::path(file).line(problem.line).char_column(problem.column)),
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(text::lines(help).join("\n")));
    }
    vec![group]
}

/// The line of the mistake, from the column to its end underlined; a giant line is cut around the column.
fn excerpt<'a>(source: &'a str, problem: &Problem) -> Option<Excerpt<'a>> {
    let line = source.split('\n').nth(problem.line.checked_sub(1)?)?;
    let line = line.trim_end();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let column = problem.column.saturating_sub(1);
    if column > AROUND {
        // The columns shown would be wrong for a line that is cut at its front.
        return None;
    }
    let end = byte(column + AROUND);
    let start = byte(column).min(end);
    Some(Excerpt {
        text: &line[..end],
        span: start..end,
    })
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == "error"
}
