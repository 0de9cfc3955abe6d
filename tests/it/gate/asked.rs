//! What a task asks for besides its checks: evidence for its criteria, evidence to look at, documentation.

use std::sync::Mutex;

use chrono::Utc;
use orchestrator::domain::criteria::Answer;
use orchestrator::domain::definition::Criterion;
use orchestrator::domain::exhibit::{ExhibitSpec, FilePattern};
use orchestrator::domain::gate::{CheckSource, CheckSpec, CheckVerdict, GateReport, Receipt, Verdict};
use orchestrator::gate::{Asked, Criteria, Docs, Gallery, Gate, Kept, Without, feedback};

use super::{Case, check, receipt};
use crate::workspace::world::git;

async fn judge(case: &Case, checks: &[CheckSpec], asked: Asked<'_>) -> GateReport {
    let head = case.workspace.head().await.unwrap();
    let mut request = case.request(&head, checks);
    request.asked = asked;
    Gate.run(&request, &Utc::now).await.unwrap()
}

fn criteria() -> Vec<Criterion> {
    ["b.txt is there", "it is fast"]
        .map(|text| Criterion {
            text: text.into(),
            checked: true,
        })
        .into()
}

fn answer(number: usize, evidence: &str) -> Answer {
    Answer {
        number: Some(number),
        ticked: true,
        evidence: evidence.into(),
        ..Answer::default()
    }
}

async fn of_criteria(
    case: &Case,
    script: &str,
    answers: Vec<Answer>,
    without: Without,
) -> (Receipt, Verdict) {
    let list = criteria();
    let criteria = Some(Criteria {
        list: &list,
        answers,
        without,
    });
    let asked = Asked {
        criteria,
        ..Asked::default()
    };
    let report = judge(case, &[check(script)], asked).await;
    (receipt(&report, "criteria").clone(), report.verdict())
}

#[tokio::test]
async fn every_criterion_needs_evidence_that_can_be_looked_up() {
    let case = Case::new().await;
    case.write("b.txt", "one\ntwo\n");
    let commit = case.commit();
    let base = git(&case.world.path("repo"), &["rev-parse", "main"]);
    let root = case.workspace.root.join("b.txt");
    for (first, second, passes) in [
        ("b.txt:2", "check check", true),
        ("`b.txt`", &commit[..8], true),
        ("b.txt:3", "check check", false),
        ("gone/c.txt", "check check", false),
        ("b.txt", "it is very fast, trust me", false),
        ("b.txt", base.trim(), false),
        ("b.txt", "git-clean", false),
        ("b.txt", "", false),
        (root.to_str().unwrap(), "check check", false),
        ("../../../../etc/passwd", "check check", false),
    ] {
        let answers = vec![answer(1, first), answer(2, second)];
        let (seen, verdict) = of_criteria(&case, "true", answers, Without::Red).await;
        assert_eq!(
            seen.verdict == CheckVerdict::Passed,
            passes,
            "{first} {second}: {}",
            seen.output_tail
        );
        assert_eq!(verdict == Verdict::Passed, passes);
    }
    let (seen, verdict) = of_criteria(
        &case,
        "exit 1",
        vec![answer(1, "b.txt"), answer(2, "check check")],
        Without::Red,
    )
    .await;
    assert!(
        seen.output_tail.contains("'check' did not pass"),
        "{}",
        seen.output_tail
    );
    assert_eq!(verdict, Verdict::Failed);
}

#[tokio::test]
async fn who_cannot_write_evidence_is_not_asked_for_it() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    for (without, answers, verdict) in [
        (Without::Red, vec![], Verdict::Failed),
        (Without::Checks, vec![], Verdict::Passed),
        (Without::Checks, vec![answer(1, "words")], Verdict::Passed),
        (Without::Person, vec![], Verdict::NeedsPerson),
        (
            Without::Person,
            vec![answer(1, "b.txt"), answer(2, "check check")],
            Verdict::Passed,
        ),
    ] {
        let (seen, found) = of_criteria(&case, "true", answers, without).await;
        assert_eq!(found, verdict, "{without:?}: {}", seen.output_tail);
    }
    let list = criteria();
    let asked = Asked {
        criteria: Some(Criteria {
            list: &list,
            answers: Vec::new(),
            without: Without::Red,
        }),
        ..Asked::default()
    };
    let told = feedback(&judge(&case, &[check("true")], asked).await);
    for words in [
        "1. b.txt is there: nothing is said of it",
        "orchestrator agent criterion",
        "Checks that passed: check",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let none = Asked {
        criteria: Some(Criteria {
            list: &[],
            answers: Vec::new(),
            without: Without::Red,
        }),
        ..Asked::default()
    };
    let report = judge(&case, &[check("true")], none).await;
    assert!(
        report.receipts.iter().all(|r| r.name != "criteria"),
        "nothing is asked of a task without criteria"
    );
}

#[tokio::test]
async fn documentation_changes_with_the_work_or_is_waived() {
    let case = Case::new().await;
    let docs = |waiver: Option<&str>| Asked {
        docs: Some(Docs {
            waiver: waiver.map(str::to_owned),
        }),
        ..Asked::default()
    };
    let checks = [check("true")];
    let verdict = async |asked| judge(&case, &checks, asked).await.verdict();
    assert_eq!(verdict(docs(None)).await, Verdict::Passed, "nothing changed");
    case.write("b.txt", "b");
    case.commit();
    assert_eq!(verdict(docs(None)).await, Verdict::Failed);
    assert_eq!(
        verdict(docs(Some("no words of users change"))).await,
        Verdict::Passed
    );
    case.write("docs/b.html", "b");
    case.commit();
    assert_eq!(verdict(docs(None)).await, Verdict::Passed);
}

/// Remembers what it was given.
#[derive(Default)]
struct Shelf(Mutex<Vec<(String, String, Vec<u8>)>>);

impl Gallery for Shelf {
    fn keep(&self, commit: &str, kind: &str, bytes: &[u8]) -> std::io::Result<Kept> {
        let mut shelf = self.0.lock().unwrap();
        shelf.push((commit.to_owned(), kind.to_owned(), bytes.to_vec()));
        Ok(Kept {
            bytes: bytes.len() as u64,
            sha256: format!("{:064x}", shelf.len()),
            redacted: false,
        })
    }
}

fn spec(name: &str, run: Option<&str>, files: &[&str]) -> ExhibitSpec {
    ExhibitSpec {
        name: name.to_owned(),
        run: run.map(str::to_owned),
        files: files.iter().map(|f| FilePattern::parse(f).unwrap()).collect(),
        timeout: None,
        source: CheckSource::Job,
    }
}

#[tokio::test]
async fn evidence_is_made_in_the_gate_and_kept() {
    let case = Case::new().await;
    case.write("forged/home.png", "painted by hand");
    case.write("notes.md", "the worker's own words");
    case.commit();
    case.write("shots/from-the-folder.png", "never looked at");
    let specs = [
        spec(
            "home page",
            Some("mkdir -p shots; printf '\\211PNG\\r\\n\\032\\nx' > shots/home.png"),
            &["shots/*.png"],
        ),
        spec("coverage", None, &["coverage/*.txt"]),
        spec("bench", Some("echo 17 ns"), &[]),
        spec("notes", None, &["notes.md"]),
        spec("forged", Some("true"), &["forged/home.png"]),
        spec("link", Some("ln -s /etc/passwd link.txt"), &["link.txt"]),
        spec("missing", Some("true"), &["nothing/*.png"]),
        spec("broken", Some("echo made > broken.txt; exit 3"), &["broken.txt"]),
    ];
    let shelf = Shelf::default();
    let asked = Asked {
        exhibits: &specs,
        gallery: Some(&shelf),
        ..Asked::default()
    };
    let report = judge(
        &case,
        &[check("mkdir coverage; echo 91% > coverage/all.txt")],
        asked,
    )
    .await;
    let told = |name: &str| {
        let receipt = receipt(&report, &format!("evidence: {name}"));
        let files: Vec<&str> = receipt.trace.files.iter().map(|f| f.path.as_str()).collect();
        (receipt.verdict == CheckVerdict::Passed, files)
    };
    assert_eq!(told("home page"), (true, vec!["shots/home.png"]));
    assert_eq!(told("coverage"), (true, vec!["coverage/all.txt"]));
    assert_eq!(told("bench"), (true, vec!["bench.txt"]));
    assert_eq!(told("notes"), (true, vec!["notes.md"]));
    assert!(receipt(&report, "evidence: notes").trace.files[0].committed);
    assert!(!receipt(&report, "evidence: home page").trace.files[0].committed);
    for red in ["forged", "link", "missing"] {
        assert_eq!(told(red), (false, vec![]), "{red}");
    }
    assert_eq!(
        told("broken"),
        (false, vec!["broken.txt"]),
        "it is kept all the same"
    );
    assert_eq!(
        receipt(&report, "git-clean").verdict,
        CheckVerdict::Passed,
        "evidence is no dirt"
    );
    assert!(
        report
            .receipts
            .iter()
            .filter(|r| r.name.starts_with("evidence"))
            .all(|r| r.source == CheckSource::House)
    );
    let shelf = shelf.0.into_inner().unwrap();
    let bench = shelf.iter().find(|(_, _, bytes)| bytes == b"17 ns\n").unwrap();
    assert_eq!(
        (bench.0.as_str(), bench.1.as_str()),
        (report.commit.as_str(), "text/plain")
    );
    assert!(shelf.iter().any(|(_, kind, _)| kind == "image/png"));
    assert!(
        !shelf
            .iter()
            .any(|(.., bytes)| bytes == b"painted by hand" || bytes == b"never looked at")
    );
    assert_eq!(report.exhibits()[0], "home page (shots/home.png)");
}

#[tokio::test]
async fn evidence_alone_is_no_check() {
    let case = Case::new().await;
    let specs = [spec("bench", Some("echo 17 ns"), &[])];
    let asked = Asked {
        exhibits: &specs,
        ..Asked::default()
    };
    assert_eq!(judge(&case, &[], asked).await.verdict(), Verdict::NeedsPerson);
}

/// A criterion may be shown by what the gate kept.
#[tokio::test]
async fn what_was_kept_is_evidence_for_a_criterion() {
    let case = Case::new().await;
    let (list, specs) = (
        criteria(),
        [spec("home page", Some("echo x > home.png"), &["home.png"])],
    );
    let asked = Asked {
        exhibits: &specs,
        criteria: Some(Criteria {
            list: &list,
            answers: vec![answer(1, "evidence home page"), answer(2, "home.png")],
            without: Without::Red,
        }),
        ..Asked::default()
    };
    let report = judge(&case, &[check("true")], asked).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report:#?}");
}
