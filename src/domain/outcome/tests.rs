use proptest::prelude::*;

use super::*;

fn ending(kind: EndKind) -> Ending {
    Ending {
        kind,
        reason: "r".into(),
    }
}

fn brought(changed: bool, progress_entries: u32) -> Evidence {
    Evidence {
        changed,
        progress_entries,
        ..Evidence::default()
    }
}

fn reasons() -> [(StopReason, Outcome); 11] {
    let by = || "jane".to_owned();
    let what = || "w".to_owned();
    let wait = |trouble| StopReason::ProviderWait {
        trouble,
        until: None,
        what: what(),
    };
    [
        (StopReason::Stuck, Outcome::Stuck),
        (StopReason::Standstill { what: what() }, Outcome::Stuck),
        (wait(Outcome::RateLimited), Outcome::RateLimited),
        (wait(Outcome::Overloaded), Outcome::Overloaded),
        (StopReason::Timeout, Outcome::Timeout),
        (StopReason::Budget, Outcome::Budget),
        (StopReason::Paused { by: by() }, Outcome::Killed),
        (
            StopReason::Cancelled {
                by: by(),
                reason: what(),
            },
            Outcome::Killed,
        ),
        (StopReason::Retried { by: by() }, Outcome::Killed),
        (StopReason::Drained { by: by() }, Outcome::Killed),
        (StopReason::EmergencyStop, Outcome::Killed),
    ]
}

/// The columns: what the runtime tells; the outcome with evidence, and without any.
const TABLE: [(EndKind, Outcome, Outcome); 16] = [
    (EndKind::Claimed, Outcome::Done, Outcome::Bailed),
    (EndKind::Silent, Outcome::Continue, Outcome::Bailed),
    (
        EndKind::NoChangeNeeded,
        Outcome::NoChangeNeeded,
        Outcome::NoChangeNeeded,
    ),
    (EndKind::Continue, Outcome::Continue, Outcome::Continue),
    (EndKind::Blocked, Outcome::Blocked, Outcome::Blocked),
    (
        EndKind::NeedsStrongerModel,
        Outcome::NeedsStrongerModel,
        Outcome::NeedsStrongerModel,
    ),
    (EndKind::Failed, Outcome::Failed, Outcome::Failed),
    (
        EndKind::RateLimited { until: None },
        Outcome::RateLimited,
        Outcome::RateLimited,
    ),
    (EndKind::Overloaded, Outcome::Overloaded, Outcome::Overloaded),
    (EndKind::Auth, Outcome::Auth, Outcome::Auth),
    (EndKind::Network, Outcome::Network, Outcome::Network),
    (EndKind::Budget, Outcome::Budget, Outcome::Budget),
    (EndKind::MaxTurns, Outcome::MaxTurns, Outcome::MaxTurns),
    (EndKind::Poisoned, Outcome::Poisoned, Outcome::Poisoned),
    (EndKind::Interrupted, Outcome::Killed, Outcome::Killed),
    (EndKind::Vanished, Outcome::Lost, Outcome::Lost),
];

#[test]
fn the_truth_table() {
    for (kind, with, without) in TABLE {
        let ending = ending(kind);
        // Words alone, at a branch that differs in nothing from its base.
        let worded = match kind {
            EndKind::Claimed => Outcome::NoChangeNeeded,
            _ => with,
        };
        let mut earlier = brought(false, 1);
        earlier.fingerprint = "diff:0a1b".to_owned();
        for (evidence, expected) in [
            (brought(true, 0), with),
            (brought(false, 1), worded),
            (earlier, with),
            (brought(true, 2), with),
            (brought(false, 0), without),
        ] {
            for (session, expected) in [
                (Session::Ended, expected),
                (Session::LeftBehind(2), expected),
                (Session::Vanished, Outcome::Lost),
            ] {
                let seen = Witnesses {
                    ending: &ending,
                    evidence: &evidence,
                    session,
                    stopped: None,
                };
                assert_eq!(judge(&seen), expected, "{seen:?}");
            }
        }
    }
}

#[test]
fn whoever_stopped_it_outranks_all_other_witnesses() {
    for (stopped, expected) in reasons() {
        for (kind, ..) in TABLE {
            for session in [Session::Ended, Session::LeftBehind(1), Session::Vanished] {
                let seen = Witnesses {
                    ending: &ending(kind),
                    evidence: &brought(true, 1),
                    session,
                    stopped: Some(&stopped),
                };
                assert_eq!(judge(&seen), expected, "{seen:?}");
            }
        }
        assert!(!stopped.sentence().is_empty());
    }
}

proptest! {
    /// No word of a worker makes an attempt done without evidence, or over a session that nobody saw end.
    #[test]
    fn done_needs_a_claim_evidence_and_an_end(row in 0..TABLE.len(), changed: bool, entries in 0u32..2, vanished: bool) {
        let (ending, evidence) = (ending(TABLE[row].0), brought(changed, entries));
        let session = if vanished { Session::Vanished } else { Session::Ended };
        let seen = Witnesses { ending: &ending, evidence: &evidence, session, stopped: None };
        let proven = ending.kind == EndKind::Claimed && evidence.changed && !vanished;
        prop_assert_eq!(judge(&seen) == Outcome::Done, proven);
    }
}
