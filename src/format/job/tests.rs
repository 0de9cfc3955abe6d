use super::*;
use crate::domain::gate::{Category, CheckSource};

const WHOLE: &str = "---\nname: fix\ndescription: Fix it\ntier: Haiku\nmax_tier: opus\nbudget: $2.50\ntimeout: 45m\nagent: ann\nruntime: demo\n\
    validation:\n  - cargo test\n  - { name: the build, run: make, timeout: 5m }\n  - name: links\n    category: documentation\n    run: |\n      a\n      b\n\
    params:\n  max_pages: 3\n  tone: calm\n---\n# {{ task.title }}\n{{ task.description }} in {{ params.max_pages }} pages, {{ params.tone }}\n";

fn job(text: &str) -> (Option<Job>, Vec<Diagnostic>) {
    parse("fix", "jobs/fix.md", text.as_bytes())
}

fn id() -> TaskId {
    TaskId::parse("t-1").unwrap()
}

#[test]
fn the_whole_front_matter_reads() {
    let (job, problems) = job(WHOLE);
    assert_eq!(problems, []);
    let job = job.unwrap();
    assert_eq!(
        (job.tier, job.max_tier),
        (Some(TierName::new("haiku")), Some(TierName::new("opus")))
    );
    assert_eq!(
        (job.budget_usd, job.timeout),
        (Some(2.5), Some(Duration::from_secs(2700)))
    );
    let checks: Vec<(&str, Category, &str, Option<u64>)> = job
        .checks
        .iter()
        .map(|c| {
            (
                c.name.as_str(),
                c.category,
                c.run.as_str(),
                c.timeout.map(|t| t.as_secs()),
            )
        })
        .collect();
    assert_eq!(
        checks,
        [
            ("cargo test", Category::Functionality, "cargo test", None),
            ("the build", Category::Build, "make", Some(300)),
            ("links", Category::Documentation, "a\nb\n", None),
        ]
    );
    assert!(job.checks.iter().all(|c| c.source == CheckSource::Job));
    assert_eq!(job.params["max_pages"], "3");
    assert_eq!(job.template_line, 22);
}

#[test]
fn the_tasks_own_fields_win() {
    let mut job = job(WHOLE).0.unwrap();
    job.scope = vec!["src".into()];
    let mut definition = Definition {
        title: "T {{ task.id }}".into(),
        description: "Do".into(),
        min_tier: Some(TierName::new("sonnet")),
        extra: BTreeMap::from([("max-pages".into(), "9".into()), ("owner".into(), "me".into())]),
        ..Definition::default()
    };
    job.fill(&id(), &mut definition).unwrap();
    assert_eq!(definition.min_tier, Some(TierName::new("sonnet")));
    assert_eq!(definition.max_tier, Some(TierName::new("opus")));
    assert_eq!(
        (definition.checks.len(), definition.scope.as_slice()),
        (3, job.scope.as_slice())
    );
    let mut narrower = Definition {
        scope: vec!["docs".into()],
        ..Definition::default()
    };
    job.fill(&id(), &mut narrower).unwrap();
    assert_eq!(narrower.scope, ["docs"]);
    let prompt = definition.prompt.unwrap();
    assert_eq!(
        prompt, "# T {{ task.id }}\nDo in 9 pages, calm",
        "what a task says is never read as a template"
    );
    assert_eq!(definition.extra.keys().collect::<Vec<_>>(), ["owner"]);
}

#[test]
fn mistakes_have_their_place() {
    let table = [
        ("", Code::MissingFrontMatter, 1, 1),
        ("# Just text\n", Code::MissingFrontMatter, 1, 1),
        ("---\nname: fix\n", Code::MissingFrontMatter, 1, 1),
        (
            "---\nname: fix\nschedule: daily\n---\n",
            Code::ScheduleInJob,
            3,
            1,
        ),
        ("---\nname: fix\ntimeot: 5m\n---\n", Code::BadFrontMatter, 3, 1),
        ("---\nname: [\n---\n", Code::BadFrontMatter, 2, 7),
        ("---\nname: fox\n---\n", Code::NameMismatch, 2, 1),
        ("---\nscope: [src, ../x]\n---\n", Code::BadScope, 2, 1),
        ("---\nbudget: lots\n---\n", Code::BadBudget, 2, 1),
        ("---\ntier: a\ntimeout: 0s\n---\n", Code::BadTimeout, 3, 1),
        (
            "---\n---\nHello\n  {{ task.descripton }}\n",
            Code::UnknownVariable,
            4,
            6,
        ),
        (
            "---\n---\n{% if false %}{{ params.x }}{% endif %}\n",
            Code::UnknownVariable,
            3,
            18,
        ),
        ("---\n---\na\n{{ name }}\n", Code::UnknownVariable, 4, 4),
        ("---\n---\na\n{% if %}\n", Code::BadTemplate, 4, 7),
        ("---\n---\na {{ task.title\n", Code::BadTemplate, 3, 11),
    ];
    for (text, code, line, column) in table {
        let (found, problems) = job(text);
        let got: Vec<_> = problems.iter().map(|p| (p.code, p.line, p.column)).collect();
        assert_eq!(got, [(code, line, column)], "{text}: {problems:?}");
        assert_eq!(found.is_none(), problems[0].is_error(), "{text}");
    }
    assert_eq!(
        job("---\n---\n{{ task.descripton }}").1[0].help,
        "did you mean 'task.description'?"
    );
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let text =
        "---\n---\n{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
    let fault = job(text)
        .0
        .unwrap()
        .fill(&id(), &mut Definition::default())
        .unwrap_err();
    assert_eq!(fault.code, Code::BadTemplate);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(front in "[ -~\n]{0,60}", body in "[ -~{}%\n]{0,60}", raw in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
        let _ = job(&format!("---\n{front}\n---\n{body}"));
        let _ = parse("fix", "f", &raw);
    }
}
