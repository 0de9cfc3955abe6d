use super::*;

fn tried(tier: &str, outcome: Outcome) -> Try {
    Try {
        n: 1,
        tier: TierName::new(tier),
        runtime: "claude".to_owned(),
        outcome,
        reason: format!("{} at {tier}", outcome.as_str()),
        fingerprint: String::new(),
        progressed: false,
        waited: false,
        cost_usd: None,
        session: None,
    }
}

fn moved(tier: &str, outcome: Outcome, fingerprint: &str) -> Try {
    Try {
        progressed: true,
        waited: false,
        fingerprint: fingerprint.to_owned(),
        ..tried(tier, outcome)
    }
}

fn ask(policy: &Policy, kind: Kind, tries: Vec<Try>) -> Step {
    let bounds = Bounds {
        min: 0,
        max: policy.tiers.len() - 1,
    };
    let history = History {
        spent: tries.len() as u32,
        tries,
        ..History::default()
    };
    policy.after(&Situation {
        bounds,
        kind,
        budget_usd: None,
        history: &history,
    })
}

/// `tier/start/wait`, or `person`.
fn short(step: &Step) -> String {
    match step {
        Step::Attempt {
            tier, start, wait, ..
        } => format!("{tier}/{start:?}/{wait:?}"),
        Step::Person { .. } => "person".to_owned(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn one_row_an_outcome() {
    use Outcome::*;
    let policy = Policy::example();
    let rows = [
        (vec![tried("haiku", GateFailed)], "1/Escalation/Backoff(1)"),
        (vec![tried("haiku", Failed)], "1/Escalation/Backoff(1)"),
        (vec![tried("haiku", Bailed)], "1/Escalation/Backoff(1)"),
        (vec![tried("haiku", Budget)], "1/Escalation/Backoff(1)"),
        (vec![tried("haiku", Poisoned)], "1/Escalation/Backoff(1)"),
        (vec![tried("haiku", MaxTurns)], "1/Escalation/Backoff(1)"),
        (vec![moved("haiku", MaxTurns, "a")], "0/Continuation/Continuation"),
        (
            vec![tried("haiku", NeedsStrongerModel)],
            "1/Escalation/Continuation",
        ),
        (vec![tried("opus", NeedsStrongerModel)], "person"),
        (
            vec![tried("haiku", Failed), tried("sonnet", Failed)],
            "2/Escalation/Backoff(2)",
        ),
        (
            vec![
                tried("haiku", Failed),
                tried("sonnet", Failed),
                tried("opus", Failed),
            ],
            "person",
        ),
        (vec![tried("haiku", Blocked)], "person"),
        (vec![tried("haiku", Stuck)], "0/Resume/Continuation"),
        (
            vec![tried("haiku", Stuck), tried("haiku", Stuck)],
            "1/Escalation/Backoff(2)",
        ),
        (
            vec![tried("haiku", Timeout), tried("haiku", Stuck)],
            "1/Escalation/Backoff(2)",
        ),
        (
            vec![tried("haiku", Stuck), moved("haiku", Stuck, "a")],
            "0/Resume/Continuation",
        ),
        (
            vec![tried("haiku", Lost), tried("haiku", Lost), tried("haiku", Lost)],
            "0/Resume/Backoff(2)",
        ),
        (vec![tried("haiku", Killed)], "0/Resume/Continuation"),
        (vec![tried("haiku", RateLimited)], "0/Resume/Provider(0)"),
        (vec![tried("opus", Overloaded)], "2/Resume/Provider(0)"),
        (vec![tried("haiku", Auth)], "0/Resume/Provider(0)"),
        (vec![tried("haiku", Network)], "0/Resume/Provider(0)"),
        (vec![tried("haiku", Continue)], "0/Continuation/Continuation"),
        (
            vec![tried("haiku", Continue), tried("haiku", Continue)],
            "1/Escalation/Backoff(1)",
        ),
        (
            vec![tried("haiku", Continue), moved("haiku", Continue, "a")],
            "0/Continuation/Continuation",
        ),
        (
            vec![moved("haiku", Continue, "a"), tried("haiku", Continue)],
            "0/Continuation/Continuation",
        ),
    ];
    for (tries, expected) in rows {
        let words: Vec<&str> = tries.iter().map(|t| t.outcome.as_str()).collect();
        assert_eq!(
            short(&ask(&policy, Kind::OneOff, tries.clone())),
            expected,
            "after {words:?}"
        );
    }
}

#[test]
fn attempts_per_tier_and_reworks_are_counted_at_the_tier() {
    use Outcome::*;
    let two = Policy {
        attempts_per_tier: 2,
        ..Policy::example()
    };
    assert_eq!(
        short(&ask(&two, Kind::OneOff, vec![moved("haiku", Failed, "a")])),
        "0/Retry/Backoff(1)"
    );
    let again = vec![moved("haiku", Failed, "a"), moved("haiku", Failed, "b")];
    assert_eq!(short(&ask(&two, Kind::OneOff, again)), "1/Escalation/Backoff(2)");
    let rework = Policy {
        reworks: 1,
        ..Policy::example()
    };
    assert_eq!(
        short(&ask(&rework, Kind::OneOff, vec![moved("haiku", GateFailed, "a")])),
        "0/Retry/Backoff(1)"
    );
    assert_eq!(
        short(&ask(&rework, Kind::OneOff, vec![tried("haiku", Failed)])),
        "1/Escalation/Backoff(1)"
    );
}

#[test]
fn the_same_failure_over_the_same_content_is_never_tried_again() {
    use Outcome::*;
    let many = Policy {
        attempts_per_tier: 9,
        ..Policy::example()
    };
    let same = vec![moved("haiku", GateFailed, "a"), moved("haiku", GateFailed, "a")];
    assert_eq!(short(&ask(&many, Kind::OneOff, same)), "1/Escalation/Backoff(2)");
    let other = vec![moved("haiku", GateFailed, "a"), moved("haiku", GateFailed, "b")];
    assert_eq!(short(&ask(&many, Kind::OneOff, other)), "0/Retry/Backoff(2)");
}

#[test]
fn stop_rules() {
    use Outcome::*;
    let policy = Policy {
        stop_if_first_attempt_cost_over: Some(0.5),
        ..Policy::example()
    };
    let dear = Try {
        cost_usd: Some(0.6),
        ..tried("haiku", GateFailed)
    };
    assert_eq!(short(&ask(&policy, Kind::OneOff, vec![dear.clone()])), "person");
    let cheap = Try {
        cost_usd: Some(0.4),
        ..tried("haiku", GateFailed)
    };
    assert_eq!(
        short(&ask(&policy, Kind::OneOff, vec![cheap])),
        "1/Escalation/Backoff(1)"
    );
    let history = History {
        spent: 15,
        tries: vec![moved("haiku", Continue, "x")],
        ..History::default()
    };
    let bounds = Bounds { min: 0, max: 2 };
    let lifetime = Situation {
        bounds,
        kind: Kind::OneOff,
        budget_usd: None,
        history: &history,
    };
    assert_eq!(short(&policy.after(&lifetime)), "person");
    let history = History {
        spent: 1,
        tries: vec![dear],
        ..History::default()
    };
    let budget = Situation {
        bounds,
        kind: Kind::OneOff,
        budget_usd: Some(0.6),
        history: &history,
    };
    assert!(matches!(policy.after(&budget), Step::Person { reason } if reason.contains("budget of $0.60")));
}

#[test]
fn a_budget_remembers_what_the_history_forgets() {
    let mut history = History::default();
    for _ in 0..History::KEPT * 3 {
        history.push(Try {
            cost_usd: Some(0.1),
            ..moved("haiku", Outcome::Continue, "x")
        });
    }
    assert_eq!(history.tries.len(), History::KEPT);
    assert!((history.cost_usd() - 0.1 * History::KEPT as f64 * 3.0).abs() < 1e-6);
    history.reset();
    assert_eq!(history.cost_usd(), 0.0);
}

#[test]
fn provider_trouble_never_climbs_and_ignores_the_lifetime() {
    let policy = Policy::example();
    let history = History {
        spent: 99,
        troubles: 3,
        tries: vec![tried("haiku", Outcome::RateLimited)],
        ..History::default()
    };
    let situation = Situation {
        bounds: Bounds { min: 0, max: 2 },
        kind: Kind::OneOff,
        budget_usd: None,
        history: &history,
    };
    assert_eq!(short(&policy.after(&situation)), "0/Resume/Provider(3)");
}

#[test]
fn bounds_and_start() {
    let policy = Policy::example();
    let named = |min: Option<&str>, max: Option<&str>| {
        let tier = |t: Option<&str>| t.map(TierName::new);
        policy.bounds(&Definition {
            min_tier: tier(min),
            max_tier: tier(max),
            ..Definition::default()
        })
    };
    assert_eq!(named(None, None), Ok(Bounds { min: 0, max: 2 }));
    assert_eq!(named(Some("Sonnet"), None), Ok(Bounds { min: 1, max: 2 }));
    assert!(named(Some("opus"), Some("haiku")).is_err_and(|e| e.contains("above Max Model")));
    assert!(named(Some("gpt"), None).is_err_and(|e| e.contains("haiku, sonnet, opus")));
    for (difficulty, lowest, start) in [(0, false, 0), (1, false, 1), (2, false, 2), (2, true, 0)] {
        let policy = Policy {
            start: if lowest { Start::Lowest } else { Start::Assessed },
            ..Policy::example()
        };
        let assessment = Assessment {
            difficulty,
            reasons: vec![],
        };
        assert_eq!(policy.start_tier(Bounds { min: 0, max: 2 }, &assessment), start);
        assert_eq!(policy.start_tier(Bounds { min: 1, max: 1 }, &assessment), 1);
    }
}

#[test]
fn the_budget_counts_what_is_no_longer_kept_and_what_ended_in_provider_trouble() {
    let policy = Policy::example();
    let after = |history: &History| {
        policy.after(&Situation {
            bounds: Bounds { min: 0, max: 2 },
            kind: Kind::Continuous,
            budget_usd: Some(0.6),
            history,
        })
    };
    let run = |n: u32, outcome| Try {
        cost_usd: Some(0.01),
        ..moved("haiku", outcome, &format!("x{n}"))
    };
    let mut history = History::default();
    for n in 0..59 {
        history.push(run(n, Outcome::Continue));
    }
    assert_eq!(short(&after(&history)), "0/Continuation/Continuation");
    history.push(run(59, Outcome::Continue));
    history.push(run(60, Outcome::Overloaded));
    assert_eq!(history.tries.len(), History::KEPT);
    assert_eq!(short(&after(&history)), "person");
    history.reset();
    assert!(history.cost_usd() < f64::EPSILON);
}

#[test]
fn a_dear_failure_skips_the_tiers_between_and_a_cheap_one_does_not() {
    let policy = Policy {
        skip_to_top_if_attempt_cost_over: Some(0.5),
        ..Policy::example()
    };
    let failed = |tier: &str, cost_usd| Try {
        cost_usd,
        ..tried(tier, Outcome::GateFailed)
    };
    let rows = [
        (failed("haiku", Some(0.6)), "2/Escalation/Backoff(1)"),
        (failed("haiku", Some(0.5)), "1/Escalation/Backoff(1)"),
        (failed("haiku", None), "1/Escalation/Backoff(1)"),
        (failed("opus", Some(9.0)), "person"),
    ];
    for (last, expected) in rows {
        assert_eq!(
            short(&ask(&policy, Kind::OneOff, vec![last.clone()])),
            expected,
            "{last:?}"
        );
    }
    let history = History {
        tries: vec![failed("haiku", Some(0.6))],
        ..History::default()
    };
    let bounds = Bounds { min: 0, max: 1 };
    let allowed = Situation {
        bounds,
        kind: Kind::OneOff,
        budget_usd: None,
        history: &history,
    };
    assert_eq!(
        short(&policy.after(&allowed)),
        "1/Escalation/Backoff(1)",
        "never above Max Model"
    );
}

#[test]
fn the_medic_has_one_turn_at_what_no_tier_brought_to_an_end() {
    use Outcome::*;
    let policy = Policy {
        medic: true,
        ..Policy::example()
    };
    let top = |outcome| vec![tried("opus", outcome)];
    for outcome in [Failed, GateFailed, Bailed, NeedsStrongerModel] {
        assert_eq!(
            short(&ask(&policy, Kind::OneOff, top(outcome))),
            "2/Medic/Continuation"
        );
    }
    assert_eq!(
        short(&ask(&policy, Kind::OneOff, top(Blocked))),
        "person",
        "its own word"
    );
    let spent = vec![tried("opus", Failed); policy.lifetime_attempts as usize];
    assert_eq!(
        short(&ask(&policy, Kind::OneOff, spent)),
        "person",
        "the cap holds"
    );
    let bounds = Bounds { min: 0, max: 2 };
    let mut history = History {
        tries: top(Failed),
        medic: true,
        ..History::default()
    };
    let after = |history: &History| {
        policy.after(&Situation {
            bounds,
            kind: Kind::OneOff,
            budget_usd: None,
            history,
        })
    };
    assert_eq!(short(&after(&history)), "person", "it had its turn");
    history.reset();
    history.tries = top(Failed);
    assert_eq!(
        short(&after(&history)),
        "2/Medic/Continuation",
        "a person set it to run"
    );
}

#[test]
fn what_is_not_wanted_any_more_gets_a_second_at_most() {
    let by = || "jane".to_owned();
    let cancelled = StopReason::Cancelled {
        by: by(),
        reason: "r".to_owned(),
    };
    let rows = [
        (cancelled.clone(), 10, 1000),
        (cancelled, 0, 0),
        (StopReason::Retried { by: by() }, 10, 1000),
        (StopReason::EmergencyStop, 10, 1000),
        (StopReason::Paused { by: by() }, 10, 10_000),
        (StopReason::Drained { by: by() }, 10, 10_000),
        (StopReason::Stuck, 10, 10_000),
    ];
    for (reason, usual, expected) in rows {
        let policy = Policy {
            kill_grace: Duration::from_secs(usual),
            ..Policy::example()
        };
        assert_eq!(
            policy.grace(&reason),
            Duration::from_millis(expected),
            "{reason:?}"
        );
    }
}
