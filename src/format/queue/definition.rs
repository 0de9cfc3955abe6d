//! A section's fields and text as a [`Definition`]: what people ask for, with what cannot be read said.
//!
//! Deliberately absent: values of fields that the orchestrator owns (Status and the like), and defaults of jobs.

use super::document::Document;
use super::evidence;
use super::field::{Field, FieldKind};
use super::outline::Section;
use super::{scope, subsection};
use crate::domain::definition::{Definition, Kind, Priority};
use crate::domain::glob;
use crate::domain::id::{InvalidId, TaskId};
use crate::domain::stage::Destination;
use crate::domain::tier::TierName;
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::duration;
use crate::format::text::{is_symbol, leading_words, name, shown, unwrapped};

impl Document {
    /// What a section asks for, and what of it cannot be read. A value that cannot be read is left out.
    pub fn definition(&self, section: &Section) -> (Definition, Vec<Diagnostic>) {
        let mut reader = Reader {
            document: self,
            definition: Definition::default(),
            problems: Vec::new(),
        };
        reader.definition.title = section.title.clone();
        reader.definition.project = "default".to_owned();
        let mut seen: Vec<&Field> = Vec::new();
        for field in &section.fields {
            match seen.iter().find(|first| same_field(first, field)) {
                Some(first) => reader.duplicate(first, field),
                None => reader.field(field),
            }
            seen.push(field);
        }
        reader.body(section);
        let mut problems = reader.problems;
        problems
            .iter_mut()
            .for_each(|p| p.task = Some(section.id.clone()));
        (reader.definition, problems)
    }
}

/// `Model` after `Min Model` is the same field twice; two unknown keys are the same only by name.
fn same_field(first: &Field, second: &Field) -> bool {
    match second.kind {
        FieldKind::Unknown | FieldKind::Written => first.name == second.name,
        // `Dependencies` beside `Depends On`, or more text, adds to the first.
        FieldKind::MoreDescription
        | FieldKind::DependsOn
        | FieldKind::Attachments
        | FieldKind::Scope
        | FieldKind::Evidence => false,
        kind => first.kind == kind,
    }
}

struct Reader<'a> {
    document: &'a Document,
    definition: Definition,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn field(&mut self, field: &Field) {
        let value = field.value.as_str();
        match field.kind {
            FieldKind::Description | FieldKind::MoreDescription => self.describe(value),
            FieldKind::Type => self.kind(field),
            FieldKind::Job => self.definition.job = name(value),
            FieldKind::MinModel => self.definition.min_tier = tier(value),
            FieldKind::MaxModel => self.definition.max_tier = tier(value),
            FieldKind::Priority => self.priority(field),
            FieldKind::Project => {
                self.definition.project = name(value).unwrap_or_else(|| "default".to_owned())
            }
            FieldKind::Workspace => self.definition.workspace = workspace(value),
            FieldKind::DependsOn => self.depends_on(field),
            FieldKind::Parent => self.parent(field),
            FieldKind::Agent => self.definition.agent = name(value),
            FieldKind::Runtime => self.definition.runtime = name(value),
            FieldKind::Budget => self.budget(field),
            FieldKind::Timeout => self.timeout(field),
            FieldKind::RunsOn => self.definition.runs_on = labels(value),
            FieldKind::Attachments => self.attach(value),
            FieldKind::Review => {
                let what = "answer to whether it is reviewed";
                self.definition.reviewed = self.answer(field, Code::BadReview, what);
            }
            FieldKind::Approval => {
                let what = "answer to whether a person approves it";
                self.definition.approval = self.answer(field, Code::BadApproval, what);
            }
            FieldKind::Scope => self.scope(field),
            FieldKind::Landing => self.landing(field),
            FieldKind::Issue => self.issue(field),
            FieldKind::Evidence => {
                let wanted = self.definition.evidence.get_or_insert_default();
                wanted.extend(evidence::entries(value));
            }
            FieldKind::Status | FieldKind::Written => {}
            FieldKind::Unknown => {
                self.definition.extra.insert(field.name.clone(), value.to_owned());
            }
        }
    }

    fn attach(&mut self, value: &str) {
        for path in paths(value) {
            if !self.definition.attachments.contains(&path) {
                self.definition.attachments.push(path);
            }
        }
    }

    /// Words that are no paths were context before there was this field, and stay so; who means paths hears of it.
    fn scope(&mut self, field: &Field) {
        let patterns = scope::patterns(&field.value);
        if patterns.iter().any(|p| p.is_prose) {
            let message = format!(
                "'{}' names no paths: nothing holds the work to it",
                shown(&field.value)
            );
            let help = "write folders and patterns, separated by commas, for example src/, docs/**; `a b/` with blanks in it";
            let found = self.document.diagnostic(
                field.span.clone(),
                Severity::Warning,
                Code::ScopeIsProse,
                message,
                help,
            );
            self.problems.push(found);
            self.definition
                .extra
                .insert(field.name.clone(), field.value.clone());
            return;
        }
        for pattern in patterns {
            match glob::is_inside(&pattern.text) {
                true if self.definition.scope.contains(&pattern.text) => {}
                true => self.definition.scope.push(pattern.text),
                false => self.error(
                    field,
                    Code::BadScope,
                    format!("'{}' leads out of the workspace", shown(&pattern.text)),
                    "write paths from the workspace's root, for example src/",
                ),
            }
        }
    }

    fn describe(&mut self, value: &str) {
        let description = &mut self.definition.description;
        if !description.is_empty() && !value.is_empty() {
            description.push_str("\n\n");
        }
        description.push_str(value);
    }

    fn kind(&mut self, field: &Field) {
        match leading_words(&field.value).join("").as_str() {
            "" if name(&field.value).is_none() => {}
            text if text.starts_with("oneoff") => self.definition.kind = Kind::OneOff,
            text if text.starts_with("continuous") => self.definition.kind = Kind::Continuous,
            _ => self.unreadable(field, Code::UnknownType, "type", "write one-off or continuous"),
        }
    }

    fn priority(&mut self, field: &Field) {
        let words = leading_words(&field.value);
        match words.first().map(String::as_str) {
            None if name(&field.value).is_none() => {}
            Some("critical" | "p0") => self.definition.priority = Priority::Critical,
            Some("high" | "p1") => self.definition.priority = Priority::High,
            Some("medium" | "p2") => self.definition.priority = Priority::Medium,
            Some("low" | "p3") => self.definition.priority = Priority::Low,
            _ => self.unreadable(
                field,
                Code::UnknownPriority,
                "priority",
                "write critical, high, medium or low, or P0 to P3",
            ),
        }
    }

    /// Yes or no; none where it says nothing.
    fn answer(&mut self, field: &Field, code: Code, what: &str) -> Option<bool> {
        let words = leading_words(&field.value);
        match words.first().map(String::as_str) {
            None => None,
            Some("yes" | "true" | "on" | "required") => Some(true),
            Some("no" | "none" | "false" | "off") => Some(false),
            Some(_) => {
                self.unreadable(field, code, what, "write yes or no");
                None
            }
        }
    }

    fn depends_on(&mut self, field: &Field) {
        for id in ids(&field.value) {
            match id {
                Ok(id) if self.definition.depends_on.contains(&id) => {}
                Ok(id) => self.definition.depends_on.push(id),
                Err(bad) => self.error(
                    field,
                    Code::BadId,
                    bad.to_string(),
                    "write the ids of tasks, separated by commas",
                ),
            }
        }
    }

    fn parent(&mut self, field: &Field) {
        match name(&field.value).map(|text| TaskId::parse(&text)) {
            Some(Ok(id)) => self.definition.parent = Some(id),
            Some(Err(bad)) => self.error(field, Code::BadId, bad.to_string(), "write the id of one task"),
            None => {}
        }
    }

    fn budget(&mut self, field: &Field) {
        match name(&field.value).map(|text| duration::parse_budget(&text)) {
            Some(Ok(dollars)) => self.definition.budget_usd = Some(dollars),
            Some(Err(bad)) => self.error(
                field,
                Code::BadBudget,
                bad.to_string(),
                "write an amount in US dollars, for example $2.50",
            ),
            None => {}
        }
    }

    fn timeout(&mut self, field: &Field) {
        match name(&field.value).map(|text| duration::parse(&text)) {
            Some(Ok(time)) if !time.is_zero() => self.definition.timeout = Some(time),
            Some(Ok(_)) => self.error(
                field,
                Code::BadTimeout,
                "a timeout of nothing stops every attempt".to_owned(),
                "write for example 45m",
            ),
            Some(Err(bad)) => self.error(
                field,
                Code::BadTimeout,
                bad.to_string(),
                "write for example 45m, 2h or 1h30m",
            ),
            None => {}
        }
    }

    fn landing(&mut self, field: &Field) {
        match name(&field.value).map(|word| Destination::named(&word)) {
            Some(Some(to)) => self.definition.landing = Some(to),
            Some(None) => self.unreadable(
                field,
                Code::UnknownLanding,
                "place for finished work",
                "write branch, base or pull-request",
            ),
            None => {}
        }
    }

    fn issue(&mut self, field: &Field) {
        match name(&field.value).map(|text| issue(&text)) {
            Some(Some(number)) => self.definition.issue = Some(number),
            Some(None) => self.unreadable(
                field,
                Code::BadIssue,
                "issue",
                "write its number, for example #12",
            ),
            None => {}
        }
    }

    fn body(&mut self, section: &Section) {
        let body = subsection::body(self.document, section);
        let definition = &mut self.definition;
        definition.acceptance = body.acceptance;
        definition.checks = body.checks;
        definition.review = body.review;
        definition.context = body.context;
        self.problems.extend(body.problems);
        if !definition.description.is_empty() {
            return;
        }
        definition.description = std::mem::take(&mut definition.context);
        if definition.description.is_empty() {
            definition.description = section.title.clone();
        }
        if definition.job.is_none() {
            let message = format!("the task '{}' has no description", section.id);
            let help = "add a line: - **Description:** what to do, and how one sees that it is done";
            let found = self.document.diagnostic(
                section.heading.clone(),
                Severity::Warning,
                Code::MissingDescription,
                message,
                help,
            );
            self.problems.push(found);
        }
    }

    fn duplicate(&mut self, first: &Field, field: &Field) {
        let message = format!(
            "'{}' says the same field as line {}, which counts",
            shown(&field.key),
            first.line
        );
        let found = self.document.diagnostic(
            field.span.clone(),
            Severity::Warning,
            Code::DuplicateField,
            message,
            "keep one of them",
        );
        self.problems.push(found);
    }

    fn unreadable(&mut self, field: &Field, code: Code, what: &str, help: &str) {
        let message = format!("'{}' is no {what}", shown(&field.value));
        self.error(field, code, message, help);
    }

    fn error(&mut self, field: &Field, code: Code, message: String, help: &str) {
        let found = self
            .document
            .diagnostic(field.span.clone(), Severity::Error, code, message, help);
        self.problems.push(found);
    }
}

/// `12`, `#12`, or the address of its page.
fn issue(text: &str) -> Option<u64> {
    let last = text.trim_end_matches('/').rsplit(['/', '#']).next()?;
    last.trim().parse().ok().filter(|number| *number > 0)
}

fn tier(value: &str) -> Option<TierName> {
    name(value).map(|text| TierName::new(&text))
}

/// A folder or URL keeps its brackets and spaces; only marks around it go.
fn workspace(value: &str) -> Option<String> {
    let text = unwrapped(value.lines().next().unwrap_or_default());
    name(text).map(|_| text.to_owned())
}

/// Paths, by comma or one a line, also as Markdown links; remarks in brackets and marks are left out.
/// Labels, by comma, each once.
fn labels(value: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in value.split([',', '\n']).filter_map(name) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

fn paths(value: &str) -> impl Iterator<Item = String> {
    let parts = value.split([',', '\n']);
    let parts = parts.map(|part| part.trim().trim_start_matches("- ").trim());
    parts.filter_map(|part| match part.split_once("](") {
        Some((_, target)) => name(target.split(')').next().unwrap_or(target)),
        None => name(part),
    })
}

/// Names of tasks, by comma, semicolon, `and`, or one a line; remarks in brackets and marks are left out.
pub(super) fn ids(value: &str) -> Vec<Result<TaskId, InvalidId>> {
    let mut bare = String::new();
    let mut depth = 0_usize;
    for c in value.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '[' | ']' | '`' | '*' => {}
            c if depth > 0 || is_symbol(c) => {}
            c => bare.push(c),
        }
    }
    let parts = bare.split([',', ';', '\n']).flat_map(|part| part.split(" and "));
    let parts = parts.map(|part| part.trim().trim_start_matches("- ").trim().trim_end_matches('.'));
    parts.filter_map(name).map(|part| TaskId::parse(&part)).collect()
}
