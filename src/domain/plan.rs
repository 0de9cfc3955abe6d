//! The plan gate: what a task must say before its first attempt, where that is asked for.
//!
//! Level-triggered: it looks at the definition as it is, so an edit of the section is all that it takes to go on.
//! Deliberately absent: any state of its own; a task that is held is pending and spends nothing.

use super::definition::Definition;
use super::policy::Policy;
use super::task::{StartKind, State, Task};

/// A shorter description is no goal, in words.
const GOAL_WORDS: usize = 4;

/// What a plan can lack, in the words of a sentence.
pub const GOAL: &str = "a goal (a Description of at least four words)";
/// Likewise.
pub const SCOPE: &str = "a scope (a field or sub-heading Scope: what may be touched)";
/// Likewise.
pub const CRITERIA: &str = "acceptance criteria (a list below a sub-heading Acceptance Criteria)";

/// What a definition lacks.
pub fn missing(definition: &Definition) -> Vec<&'static str> {
    let words = definition.description.split_whitespace().count();
    let lacks = [
        (GOAL, words < GOAL_WORDS),
        (SCOPE, !has_scope(definition)),
        (CRITERIA, definition.acceptance.is_empty()),
    ];
    lacks
        .into_iter()
        .filter(|(_, lacks)| *lacks)
        .map(|(what, _)| what)
        .collect()
}

/// What holds a task back before its first attempt; none where nothing does. A part of another task is planned by that
/// one.
pub fn holds(task: &Task, policy: &Policy) -> Option<String> {
    let first = match &task.state {
        State::Pending { .. } => true,
        State::Ready { next, .. } => next.start == StartKind::First,
        _ => false,
    };
    let definition = &task.definition;
    let asked = definition.plan_gate.unwrap_or(policy.plan_gate);
    if !first || !asked || task.history.opened > 0 || definition.parent.is_some() {
        return None;
    }
    let missing = missing(definition);
    (!missing.is_empty()).then(|| {
        format!(
            "the plan lacks {}; write it into the task's section and it goes on",
            missing.join(", ")
        )
    })
}

fn has_scope(definition: &Definition) -> bool {
    let field = definition
        .extra
        .get("scope")
        .is_some_and(|text| !text.trim().is_empty());
    field
        || !definition.scope.is_empty()
        || below_heading(&definition.context)
        || below_heading(&definition.description)
}

/// Whether something stands below a heading `Scope`.
fn below_heading(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .peekable();
    while let Some(line) = lines.next() {
        let title = line.trim_start_matches('#');
        let is_scope =
            title.len() < line.len() && title.trim().trim_end_matches(':').eq_ignore_ascii_case("scope");
        if is_scope && lines.peek().is_some_and(|next| !next.starts_with('#')) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::Criterion;

    fn whole() -> Definition {
        Definition {
            description: "Make the audit API answer.".into(),
            acceptance: vec![Criterion {
                text: "it answers".into(),
                checked: false,
            }],
            extra: [("scope".to_owned(), "src/audit".to_owned())].into(),
            ..Definition::default()
        }
    }

    #[test]
    fn a_plan_has_a_goal_a_scope_and_criteria() {
        assert_eq!(missing(&whole()), Vec::<&str>::new());
        let none = Definition::default();
        assert_eq!(missing(&none), [GOAL, SCOPE, CRITERIA]);
        for (change, lacks) in [
            (
                (|d| d.description = "Fix it.".into()) as fn(&mut Definition),
                GOAL,
            ),
            (|d| d.extra.clear(), SCOPE),
            (|d| d.acceptance.clear(), CRITERIA),
        ] {
            let mut plan = whole();
            change(&mut plan);
            assert_eq!(missing(&plan), [lacks]);
        }
    }

    #[test]
    fn a_scope_may_be_a_sub_heading() {
        for (context, has) in [
            ("#### Scope\n\nsrc/audit alone", true),
            ("text\n\n### scope:\n- src", true),
            ("#### Scope\n\n#### Notes\n\nx", false),
            ("#### Scope", false),
            ("Scope\nsrc", false),
            ("#### Scope of the report\nx", false),
        ] {
            let mut plan = whole();
            plan.extra.clear();
            plan.context = context.into();
            assert_eq!(missing(&plan).is_empty(), has, "{context}");
        }
    }
}
