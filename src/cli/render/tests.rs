use chrono::TimeDelta;

use super::doctor::{Finding, Level};
use super::fixtures::*;
use super::lint::{LintDocument, LintFile, LintTask};
use super::migrations::{Standing, Step};
use super::settings::Setting;
use super::*;
use crate::cli::exit::Exit;
use crate::service::view::*;

const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}x\u{202e}y\u{9b}31m";

fn event(seconds: i64, kind: &str, from: &str, to: &str, why: &str) -> EventView {
    EventView {
        at: before(seconds),
        kind: kind.into(),
        from: from.into(),
        to: to.into(),
        why: why.into(),
    }
}

fn full() -> Show {
    let mut task = running("add-api");
    task.attempts = vec![
        attempt(
            1,
            "haiku",
            Some("gate-failed"),
            Some("gate: tests: 2 of 31 tests fail (audit::empty, audit::zero)"),
        ),
        attempt(2, "sonnet", None, None),
    ];
    let mut red = check("tests", "failed");
    red.output_tail = Some((1..30).map(|n| format!("line {n}\n")).collect());
    let late = CheckView {
        exit_code: None,
        ..check("slow", "timed-out")
    };
    task.gate = gate("failed", vec![check("build", "passed"), red, late]);
    Show {
        evidence: Vec::new(),
        version: VERSION,
        task,
        description: "Fix the audit API.\n\n  - keep the format\n\tof the answer".into(),
        acceptance: vec!["`GET /audit` answers 200 for an empty account".into()],
        depends_on: vec!["add-db".into(), "add-config".into()],
        workspace: Some("../smartbudget".into()),
        branch: Some("orchestrator/add-api".into()),
        assessment: vec!["several files: +1".into()],
        questions: vec![
            QuestionView {
                question: "Which port?".into(),
                asked_at: now(),
                answer: Some("81".into()),
                by: Some("cli:ada".into()),
            },
            QuestionView {
                question: "Which host?".into(),
                asked_at: now(),
                answer: None,
                by: None,
            },
        ],
        parent: Some("epic".into()),
        children: vec!["add-api.docs".into()],
        progress: Some("## Work Log\n- 2026-02-09T22:00:00Z found the cause\n".into()),
        events: vec![
            event(900, "admitted", "pending", "pending", "first read"),
            event(800, "started", "pending", "in-progress", "a slot is free"),
        ],
    }
}

#[test]
fn show_tells_everything() {
    insta::assert_snapshot!(show::show(&full(), &look(100)));
}

#[test]
fn why_answers_in_one_line_each() {
    let view = Why {
        version: VERSION,
        id: "write-docs".into(),
        state: "pending".into(),
        waiting: WaitingView {
            on: vec!["add-api".into(), "add-search".into()],
            ..waiting("dependency", "add-api is running, add-search has not started")
        },
        decisions: (0..12)
            .map(|n| event(n * 60, "waits", "pending", "pending", "add-api is not done"))
            .collect(),
    };
    insta::assert_snapshot!(why::why(&view, &look(80)));
}

#[test]
fn a_plan_is_a_list_of_steps() {
    let step = |id: &str, action: &str, why: &str| PlanStep {
        id: id.into(),
        action: action.into(),
        why: why.into(),
    };
    let mut view = Plan {
        version: VERSION,
        steps: Vec::new(),
        problems: Vec::new(),
    };
    assert_eq!(plan::plan(&view, &look(80)), "The next tick would do nothing.\n");
    view.steps = vec![
        step("add-api", "start", "at haiku: the lowest tier; a slot is free"),
        step("write-docs", "wait", "after add-api"),
    ];
    insta::assert_snapshot!(plan::plan(&view, &look(80)));
}

#[test]
fn doctor_gives_a_cure_and_a_code() {
    let finding = |name: &str, level, detail: &str, cure: Option<&str>| Finding {
        name: name.into(),
        level,
        detail: detail.into(),
        cure: cure.map(Into::into),
    };
    let mut findings = vec![finding("git", Level::Ok, "git 2.43.0", None)];
    assert_eq!(doctor::exit(&findings), Exit::Done);
    assert!(doctor::doctor(&findings, &look(80)).ends_with("All is well.\n"));
    let cure = "set ANTHROPIC_API_KEY, or take `api` out of [[tiers]] runtimes";
    findings.push(finding(
        "runtime api",
        Level::Warn,
        "no key: ${ANTHROPIC_API_KEY} is not set",
        Some(cure),
    ));
    assert_eq!(doctor::exit(&findings), Exit::Done);
    findings.push(finding(
        "store",
        Level::Fail,
        "the disk is full",
        Some("free some space"),
    ));
    assert_eq!(doctor::exit(&findings), Exit::Failed);
    insta::assert_snapshot!(doctor::doctor(&findings, &look(80)));
}

#[test]
fn settings_and_migrations_are_tables() {
    let setting = |key: &str, value: &str, origin: &str| Setting {
        key: key.into(),
        value: value.into(),
        origin: origin.into(),
    };
    let settings = [
        setting("scheduler.cron", "\"*/15 * * * *\"", "default"),
        setting(
            "scheduler.max_concurrent",
            "4",
            "ORCHESTRATOR__SCHEDULER__MAX_CONCURRENT",
        ),
    ];
    let step = |number, standing| Step {
        number,
        name: "tasks and attempts".into(),
        standing,
        applied_at: Some(now() - TimeDelta::days(3)),
    };
    let steps = [step(1, Standing::Applied), step(2, Standing::Pending)];
    assert!(!migrations::is_current(&steps) && migrations::is_current(&steps[..1]));
    let page = settings::settings(&settings, &look(100)) + &*migrations::migrations(&steps, &look(100));
    insta::assert_snapshot!(page);
}

fn linted() -> LintDocument {
    let task = LintTask {
        id: "fix-api".into(),
        title: "Fix the API".into(),
        line: 3,
        status: None,
        section: Some("Active Tasks".into()),
    };
    let help = "write one of: pending, paused, completed, cancelled";
    LintDocument::new(
        vec![LintFile {
            file: "PROACTIVE-JOBS.md".into(),
            tasks: vec![task],
        }],
        vec![
            problem(4, 15, "error", "cannot read the status 'foo'", Some(help)),
            problem(3, 5, "warning", "the task has no description", None),
            problem(99, 1, "error", "beyond the end", None),
            problem(5, 400, "error", "in a giant line", None),
            Problem {
                file: "ORCHESTRATOR__X__Y".into(),
                ..problem(0, 0, "error", "no such key", None)
            },
        ],
    )
}

fn source(file: &str) -> Option<Vec<u8>> {
    let giant = "y".repeat(3000);
    let text = format!(
        "# Jobs\r\n\r\n### fix-api: Fix the API ⚠️\r\n- **Stätus:** foo \u{1b}[31m\r\n{giant}\n\u{fffd}"
    );
    (file == "PROACTIVE-JOBS.md").then(|| text.into_bytes())
}

#[test]
fn mistakes_point_at_their_place() {
    let document = linted();
    assert_eq!(document.exit(), Exit::Usage);
    insta::assert_snapshot!(lint::lint(&document, source, &look(80)));
    insta::assert_snapshot!(lint::lint(&document, |_| None, &look(80)));
}

#[test]
fn lint_speaks_the_contract() {
    let value = serde_json::to_value(linted()).unwrap();
    assert_eq!(value["version"], 1);
    let task = serde_json::json!({"id":"fix-api","title":"Fix the API","line":3,"status":null,"section":"Active Tasks"});
    assert_eq!(value["files"][0]["tasks"][0], task);
    let problem = &value["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&4.into(), &15.into()));
    let clean = LintDocument::new(Vec::new(), Vec::new());
    assert_eq!(clean.exit(), Exit::Done);
    assert_eq!(
        lint::lint(&clean, |_| None, &look(80)),
        "0 tasks in 0 files: no mistakes\n"
    );
}

#[test]
fn hostile_fields_stay_text_in_every_view() {
    let mut view = full();
    view.task.id = EVIL.into();
    view.task.attempts[0].reason = Some(EVIL.into());
    view.task.gate.checks[1].output_tail = Some(EVIL.into());
    view.task.gate.checks[1].directory = EVIL.into();
    view.description = EVIL.into();
    view.acceptance = vec![EVIL.into()];
    view.progress = Some(EVIL.into());
    view.events[0].why = EVIL.into();
    let mut document = linted();
    document.problems = vec![problem(4, 1, "error", EVIL, Some(EVIL))];
    document.problems[0].code = EVIL.into();
    let finding = Finding {
        name: EVIL.into(),
        level: Level::Fail,
        detail: EVIL.into(),
        cure: Some(EVIL.into()),
    };
    let pages = [
        show::show(&view, &look(100)),
        lint::lint(&document, source, &look(100)),
        doctor::doctor(&[finding], &look(100)),
    ];
    for page in pages {
        assert!(!page.chars().any(|c| c != '\n' && c.is_control()), "{page:?}");
    }
}

#[test]
fn pages_stay_within_the_screen() {
    for width in 60..160 {
        let page = show::show(&full(), &look(width));
        assert!(page.lines().all(|l| text::width(l) <= width), "{width}:\n{page}");
    }
}
