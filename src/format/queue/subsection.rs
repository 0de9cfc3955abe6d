//! What stands below a task's fields: acceptance criteria, checks, check lists, and the rest as context.

use std::collections::BTreeSet;
use std::ops::Range;

use super::document::Document;
use super::field::{item_end, plain_line};
use super::item::any_bullet;
use super::outline::{Block, BlockKind, Section};
use crate::domain::definition::Criterion;
use crate::domain::gate::{Category, CheckSource, CheckSpec};
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::scan::{Kind, indent};
use crate::format::text::{normal_key, shown, unwrapped};

/// The parts of a task's text.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) acceptance: Vec<Criterion>,
    pub(super) checks: Vec<CheckSpec>,
    pub(super) review: Vec<String>,
    pub(super) context: String,
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads what stands below a task's fields.
pub(super) fn body(document: &Document, section: &Section) -> Body {
    let mut reader = Reader {
        document,
        body: Body::default(),
        context: Vec::new(),
    };
    reader.head(section);
    for block in &section.blocks {
        match block.kind {
            BlockKind::Acceptance => reader.acceptance(block),
            BlockKind::Validation => reader.validation(block),
            BlockKind::Context => reader.context_block(block),
        }
    }
    reader.body.context = tidy(&reader.context);
    number_doubles(&mut reader.body.checks);
    reader.body
}

struct Reader<'a> {
    document: &'a Document,
    body: Body,
    context: Vec<String>,
}

/// A list item: its text, its box where it has one, and how far it is indented.
struct Item {
    text: String,
    ticked: Option<bool>,
    indent: usize,
}

impl Reader<'_> {
    fn head(&mut self, section: &Section) {
        let mut at = section.head.start;
        for field in &section.fields {
            self.context_lines(at..field.lines.start);
            at = field.lines.end;
        }
        self.context_lines(at..section.head.end);
    }

    fn context_lines(&mut self, lines: Range<usize>) {
        let scan = &self.document.scan;
        let own = &scan.lines[lines];
        self.context.extend(
            own.iter()
                .filter_map(|l| plain_line(self.document.bytes(), scan, *l, 0)),
        );
    }

    fn context_block(&mut self, block: &Block) {
        self.context_heading(block);
        self.context_lines(block.lines.clone());
    }

    fn context_heading(&mut self, block: &Block) {
        let hashes = "#".repeat(usize::from(block.level));
        self.context.push(format!("\n{hashes} {}\n", block.title));
    }

    fn acceptance(&mut self, block: &Block) {
        let mut boxed: Option<usize> = None;
        let rest = self.items(block.lines.clone(), |body, item| {
            let detail = item.ticked.is_none() && boxed.is_some_and(|indent| item.indent > indent);
            match body.acceptance.last_mut().filter(|_| detail) {
                // What stands below a box without one of its own is a part of it.
                Some(above) => above.text.extend(["; ", item.text.as_str()]),
                None => {
                    boxed = item.ticked.map(|_| item.indent);
                    body.acceptance.push(Criterion {
                        checked: item.ticked.unwrap_or(false),
                        text: item.text,
                    });
                }
            }
        });
        self.left_over(block, &rest);
    }

    fn validation(&mut self, block: &Block) {
        let mut rest = self.fences(block);
        let lines: Vec<Range<usize>> = std::mem::take(&mut rest);
        let mut prose = Vec::new();
        for range in lines {
            prose.extend(self.items(range, |body, item| body.review.push(item.text)));
        }
        self.left_over(block, &prose);
    }

    /// Lines of a known block that are neither item nor check go to the context.
    fn left_over(&mut self, block: &Block, lines: &[usize]) {
        let scan = &self.document.scan;
        if lines.iter().any(|at| scan.lines[*at].kind == Kind::Text) {
            self.context_heading(block);
            lines.iter().for_each(|at| self.context_lines(*at..*at + 1));
        }
    }

    /// Hands every list item to `take`; returns the other lines.
    fn items(&mut self, lines: Range<usize>, mut take: impl FnMut(&mut Body, Item)) -> Vec<usize> {
        let (scan, bytes) = (&self.document.scan, self.document.bytes());
        let mut rest = Vec::new();
        let mut at = lines.start;
        while at < lines.end {
            let line = scan.lines[at];
            let Some(bullet) = any_bullet(&bytes[line.range()]).filter(|_| line.kind == Kind::Text) else {
                rest.push(at);
                at += 1;
                continue;
            };
            // A nested item is one of its own.
            let end = item_end(bytes, scan, at, bullet.indent, lines.end);
            let nested = |n: &usize| any_bullet(&bytes[scan.lines[*n].range()]).is_some();
            let end = (at + 1..end).find(nested).unwrap_or(end);
            let mut text = scan.visible_text(bytes, line.start + bullet.text..line.end);
            for more in &scan.lines[at + 1..end] {
                text.push(' ');
                text.push_str(
                    plain_line(bytes, scan, *more, usize::MAX)
                        .unwrap_or_default()
                        .trim(),
                );
            }
            let item = Item {
                indent: bullet.indent,
                ..item(text.trim())
            };
            take(&mut self.body, item);
            at = end;
        }
        rest
    }

    /// Takes the fenced blocks out of a validation; returns what lies between them.
    fn fences(&mut self, block: &Block) -> Vec<Range<usize>> {
        let lines = &self.document.scan.lines;
        let mut between = Vec::new();
        let (mut at, mut from) = (block.lines.start, block.lines.start);
        while at < block.lines.end {
            if lines[at].kind != Kind::FenceOpen {
                at += 1;
                continue;
            }
            let end = (at + 1..block.lines.end).find(|n| {
                !matches!(lines[*n].kind, Kind::FenceBody | Kind::FenceClose)
                    || lines[*n - 1].kind == Kind::FenceClose
            });
            let end = end.unwrap_or(block.lines.end);
            let name = self.name_line(from..at);
            let upto = if self.fence(block, at..end, name.map(|n| self.line_text(n))) {
                name
            } else {
                None
            };
            between.push(from..upto.unwrap_or(at));
            between.extend(upto.map(|n| n + 1..at));
            (at, from) = (end, end);
        }
        between.push(from..block.lines.end);
        between
    }

    /// The line that names a fence: the last one before it with text.
    fn name_line(&self, lines: Range<usize>) -> Option<usize> {
        lines
            .rev()
            .map(|n| (n, self.document.scan.lines[n].kind))
            .find(|(_, kind)| *kind != Kind::Blank && *kind != Kind::Comment)
            .filter(|(_, kind)| *kind == Kind::Text)
            .map(|(n, _)| n)
    }

    fn line_text(&self, line: usize) -> String {
        let (scan, bytes) = (&self.document.scan, self.document.bytes());
        let range = scan.lines[line].range();
        let start = any_bullet(&bytes[range.clone()]).map_or(0, |b| b.text);
        item(scan.visible_text(bytes, range.start + start..range.end).trim()).text
    }

    /// Reads one fenced block; whether it is a check.
    fn fence(&mut self, block: &Block, lines: Range<usize>, named: Option<String>) -> bool {
        let (scan, bytes) = (&self.document.scan, self.document.bytes());
        let open = scan.lines[lines.start];
        let head = String::from_utf8_lossy(&bytes[open.range()]).trim().to_owned();
        let language = head
            .trim_start_matches(['`', '~'])
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_lowercase();
        if !matches!(language.as_str(), "sh" | "bash") {
            let message = format!(
                "only sh and bash blocks are run; this one is '{}'",
                shown(&language)
            );
            let help = "write ```sh to have it run as a check; as it is, the worker sees it as context";
            let found =
                self.document
                    .diagnostic(open.range(), Severity::Warning, Code::FenceNotRun, message, help);
            self.body.problems.push(found);
            self.context_lines(lines);
            return false;
        }
        let dedent = indent(&bytes[open.range()]).1;
        let script = scan.lines[lines].iter().filter(|l| l.kind == Kind::FenceBody);
        let script: Vec<String> = script
            .filter_map(|l| plain_line(bytes, scan, *l, dedent))
            .collect();
        let name = check_name(named.as_deref(), block, self.body.checks.len() + 1);
        let category = category_in(&name).or_else(|| category_in(&block.title));
        if script.iter().any(|line| !line.trim().is_empty()) {
            self.body.checks.push(CheckSpec {
                name,
                category: category.unwrap_or(Category::Functionality),
                run: script.join("\n") + "\n",
                timeout: None,
                source: CheckSource::Task,
            });
        }
        true
    }
}

fn check_name(named: Option<&str>, block: &Block, n: usize) -> String {
    let line = named.map(|text| {
        unwrapped(text.trim().trim_end_matches(':'))
            .trim_end_matches(':')
            .trim()
    });
    let is_own_title = normal_key(&block.title).starts_with("validation");
    match line.filter(|text| !text.is_empty()) {
        Some(text) => text.chars().take(80).collect(),
        None if !is_own_title && !block.title.is_empty() => block.title.clone(),
        None => format!("check {n}"),
    }
}

/// The category that a name speaks of.
pub(in crate::format) fn category_in(text: &str) -> Option<Category> {
    let key = normal_key(text);
    let of = |word: &str| match word {
        "build" | "builds" | "compile" | "compiles" => Some(Category::Build),
        "functionality" | "functional" => Some(Category::Functionality),
        "dependencies" | "dependency" => Some(Category::Dependencies),
        "integration" => Some(Category::Integration),
        "documentation" | "docs" => Some(Category::Documentation),
        _ => None,
    };
    key.split('-').find_map(of)
}

fn item(text: &str) -> Item {
    let boxes = [("[ ]", false), ("[x]", true), ("[X]", true)];
    let boxed = boxes
        .iter()
        .find_map(|(mark, ticked)| Some((text.strip_prefix(mark)?, *ticked)));
    match boxed {
        Some((rest, ticked)) => Item {
            text: rest.trim().to_owned(),
            ticked: Some(ticked),
            indent: 0,
        },
        None => Item {
            text: text.to_owned(),
            ticked: None,
            indent: 0,
        },
    }
}

fn number_doubles(checks: &mut [CheckSpec]) {
    let mut seen = BTreeSet::new();
    for check in checks {
        let base = check.name.clone();
        let mut n = 2;
        while !seen.insert(check.name.clone()) {
            check.name = format!("{base} ({n})");
            n += 1;
        }
    }
}

/// Joins lines; no blank lines at the ends, never two in a row.
fn tidy(lines: &[String]) -> String {
    let mut text = String::new();
    let mut blank = false;
    for line in lines.iter().flat_map(|l| l.split('\n')) {
        if line.trim().is_empty() {
            blank = !text.is_empty();
            continue;
        }
        if blank {
            text.push('\n');
        }
        blank = false;
        text.push_str(line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
