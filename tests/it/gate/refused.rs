//! Hosts that a sandbox refused while a check failed: whose business that is.

use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;
use orchestrator::domain::gate::{CheckVerdict, Receipt, Verdict};
use orchestrator::gate::{Call, Confine, Confined, Room};

use super::{Case, check, run};

/// A sandbox that holds nobody; what a check writes into `../scratch/knocks` is what it was refused.
struct Open;

struct Knocks(PathBuf);

#[async_trait]
impl Confine for Open {
    async fn confine(&self, room: &Room) -> Result<Box<dyn Confined>, String> {
        Ok(Box::new(Knocks(room.scratch.join("knocks"))))
    }
}

impl Confined for Knocks {
    fn wrap(&self, call: Call) -> Result<Call, String> {
        Ok(call)
    }

    fn told(&self) -> &str {
        "open"
    }

    fn refused(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

async fn judged(case: &Case, scripts: &[&str]) -> (Vec<Receipt>, Verdict) {
    let head = case.workspace.head().await.unwrap();
    let checks: Vec<_> = scripts.iter().map(|script| check(script)).collect();
    let mut request = case.request(&head, &checks);
    request.confine = Some(&Open);
    let report = run(&request).await;
    let verdict = report.verdict();
    (report.receipts, verdict)
}

/// Seen to fail with `refusals::compare` taken out: what the work broke is a person's business, too.
#[tokio::test]
async fn a_person_is_asked_where_the_host_may_be_what_is_missing() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    let knock = "echo registry.example >> ../scratch/knocks";
    let cases = [
        (
            "at the base, too",
            format!("{knock}; exit 1"),
            CheckVerdict::NeedsPerson,
        ),
        (
            "only with the work",
            format!("if test -e b.txt; then {knock}; exit 1; fi"),
            CheckVerdict::NeedsPerson,
        ),
        (
            "not missed at the base",
            format!("{knock}; test ! -e b.txt"),
            CheckVerdict::Failed,
        ),
        ("it passes", knock.to_owned(), CheckVerdict::Passed),
        ("nobody knocked", "exit 1".to_owned(), CheckVerdict::Failed),
    ];
    for (what, script, wanted) in cases {
        let (receipts, verdict) = judged(&case, &[&script]).await;
        let own = &receipts[0];
        assert_eq!(own.verdict, wanted, "{what}: {}", own.output_tail);
        let asks = wanted == CheckVerdict::NeedsPerson;
        assert_eq!(verdict == Verdict::NeedsPerson, asks, "{what}");
        assert_eq!(
            own.output_tail.contains("[\"registry.example\"]"),
            asks,
            "{what}: {}",
            own.output_tail
        );
    }
    // Each check answers for itself, and what is red by itself goes back.
    let (receipts, verdict) = judged(&case, &[&format!("{knock}; exit 1"), "exit 3"]).await;
    let verdicts = [receipts[0].verdict, receipts[1].verdict];
    assert_eq!(verdicts, [CheckVerdict::NeedsPerson, CheckVerdict::Failed]);
    assert_eq!(verdict, Verdict::Failed);
}
