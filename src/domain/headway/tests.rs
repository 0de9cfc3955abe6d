use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    no_progress_after: Duration::from_secs(45 * 60),
    repeated_calls: 8,
    provider_wait: Duration::from_secs(10 * 60),
};

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + chrono::Duration::seconds(seconds)
}

/// A worker that shows these, a second apart.
fn hearing(signs: &[Sign<'_>]) -> Headway {
    let mut headway = Headway::new(start());
    for (n, sign) in signs.iter().enumerate() {
        headway.hear(*sign, at(n as i64));
    }
    headway
}

fn cycle(of: &[Sign<'static>], times: usize) -> Vec<Sign<'static>> {
    of.iter().copied().cycle().take(of.len() * times).collect()
}

#[test]
fn the_same_calls_over_and_over_are_named() {
    use Sign::*;
    let rows: [(&[Sign<'static>], &str); 5] = [
        (&[Call("ls")], "it repeats itself: 'ls' 8 times in a row"),
        (
            &[Call("ls"), Answer("a")],
            "it repeats itself: 'ls' 8 times in a row",
        ),
        (
            &[Call("edit a"), Call("cargo test")],
            "it repeats itself: 'edit a', then 'cargo test' 8 times in a row",
        ),
        (
            &[
                Call("a"),
                Answer("1"),
                Call("b"),
                Answer("2"),
                Call("c"),
                Answer("3"),
            ],
            "it repeats itself: 'a', then 'b', then 'c' 8 times in a row",
        ),
        (
            &[Said("let me try again"), Call("ls"), Percent(10), Answer("a")],
            "it repeats itself: 'ls' 8 times in a row",
        ),
    ];
    for (round, told) in rows {
        let seven = hearing(&cycle(round, 7));
        assert_eq!(seven.judge(at(60), &LIMITS), None, "{round:?}");
        let eight = hearing(&cycle(round, 8)).judge(at(60), &LIMITS).unwrap();
        assert_eq!(eight.sentence(at(60)), told);
        let unlimited = Limits {
            repeated_calls: 0,
            ..LIMITS
        };
        assert_eq!(hearing(&cycle(round, 50)).judge(at(60), &unlimited), None);
    }
}

#[test]
fn work_that_looks_alike_is_no_repeat() {
    let mut edits = Headway::new(start());
    let mut polls = Headway::new(start());
    let mut timed = Headway::new(start());
    for n in 0..40 {
        let now = at(n);
        edits.hear(Sign::Call(&format!("Edit lib.rs #{n:x}")), now);
        edits.hear(Sign::Call("cargo test"), now);
        polls.hear(Sign::Call("poll the build"), now);
        polls.hear(Sign::Answer(&format!("{n} of 300 compiled")), now);
        timed.hear(Sign::Call("cargo test"), now);
        timed.hear(Sign::Answer(&format!("1 failed; finished in 0.{n}s")), now);
    }
    assert_eq!(edits.judge(at(40), &LIMITS), None, "each edit is another one");
    assert_eq!(polls.judge(at(40), &LIMITS), None, "the answers differ");
    assert!(
        timed.judge(at(40), &LIMITS).is_some(),
        "the answers differ by their time alone"
    );
}

#[test]
fn a_worker_that_only_beats_or_prints_the_same_forever_is_idle() {
    let mut printing = Headway::new(start());
    let mut beating = Headway::new(start());
    for n in 0..=45 * 60 + 1 {
        printing.hear(Sign::Said(&format!("tick {n}")), at(n));
        beating.hear(Sign::Percent(10), at(n));
    }
    let told = |h: &Headway| {
        h.judge(at(45 * 60 + 1), &LIMITS)
            .map(|s| s.sentence(at(45 * 60 + 1)))
    };
    assert_eq!(
        told(&printing).unwrap(),
        "it lives, but nothing new came from it for 45 min; it goes on saying 'tick 1'"
    );
    assert_eq!(
        told(&beating).unwrap(),
        "it lives, but nothing new came from it for 45 min"
    );
}

/// One call that runs for half an hour says nothing meanwhile; whoever gets on is never idle.
#[test]
fn patience_with_long_work() {
    let tests_run = hearing(&[Sign::Call("make check-everything")]);
    assert_eq!(tests_run.judge(at(30 * 60), &LIMITS), None);
    assert_eq!(tests_run.judge(at(45 * 60), &LIMITS), None);
    assert!(tests_run.judge(at(45 * 60 + 1), &LIMITS).is_some());
    for news in [
        Sign::Call("x"),
        Sign::Answer("y"),
        Sign::Said("z"),
        Sign::Percent(1),
        Sign::Wrote,
    ] {
        let mut headway = Headway::new(start());
        headway.hear(news, at(2000));
        assert_eq!(
            (headway.news_at(), headway.judge(at(4000), &LIMITS)),
            (at(2000), None),
            "{news:?}"
        );
        assert!(headway.judge(at(4701), &LIMITS).is_some(), "{news:?}");
    }
}

#[test]
fn a_wait_without_an_end_lasts_until_something_else_comes() {
    let again = Sign::Waits {
        until: at(10),
        why: "429",
    };
    let mut waits = Headway::new(start());
    waits.hear(again, at(10));
    let limit = i64::try_from(LIMITS.provider_wait.as_secs()).unwrap();
    assert_eq!(waits.judge(at(10 + limit), &LIMITS), None);
    let judged = waits.judge(at(100 + limit), &LIMITS);
    assert!(matches!(judged, Some(Standstill::Waits { .. })), "{judged:?}");
    waits.hear(Sign::Said("at last"), at(20));
    assert_eq!(waits.judge(at(100 + limit), &LIMITS), None, "served");
}

#[test]
fn waiting_for_a_provider_is_no_standstill_until_its_own_limit() {
    let waits = |seconds: i64| Sign::Waits {
        until: at(seconds),
        why: "429 rate_limit",
    };
    let mut short = Headway::new(start());
    short.hear(waits(500), at(0));
    assert_eq!(short.judge(at(400), &LIMITS), None);
    assert_eq!(
        short.judge(at(500 + 45 * 60), &LIMITS),
        None,
        "the wait is not held against it"
    );
    assert!(matches!(
        short.judge(at(501 + 45 * 60), &LIMITS),
        Some(Standstill::Idle { .. })
    ));
    short.hear(waits(601), at(500));
    assert!(matches!(
        short.judge(at(561), &LIMITS),
        Some(Standstill::Waits { until, .. }) if until == at(601)
    ));
    short.hear(Sign::Said("at last"), at(562));
    assert_eq!(short.judge(at(700), &LIMITS), None, "served");
    let mut hours = Headway::new(start());
    hours.hear(waits(5 * 3600), at(1));
    assert_eq!(
        hours.judge(at(61), &LIMITS),
        None,
        "it may have credit beyond the limit"
    );
    let told = hours.judge(at(62), &LIMITS).unwrap().sentence(at(62));
    assert!(told.contains("2026-01-01 05:00 UTC (429 rate_limit)"), "{told}");
}

proptest! {
    /// Whatever comes, memory is bounded, and whoever brings news all the time is never condemned.
    #[test]
    fn news_are_never_condemned(texts in prop::collection::hash_set("[a-z]{1,6}", 1..60)) {
        let mut headway = Headway::new(start());
        for (n, text) in texts.iter().enumerate() {
            let now = at(n as i64 * 2000);
            headway.hear(Sign::Call(text), now);
            prop_assert_eq!(headway.judge(now, &LIMITS), None);
        }
        prop_assert!(headway.seen.len() <= REMEMBERED && headway.steps.len() <= LONGEST);
    }

    /// A cycle of one to three calls is found after exactly as many rounds as the limit says.
    #[test]
    fn any_short_cycle_is_found(cycle in prop::collection::hash_set("[a-z]{3}", 1..=3), before in 0usize..5, limit in 2u32..9) {
        let limits = Limits { repeated_calls: limit, ..LIMITS };
        let cycle: Vec<String> = cycle.into_iter().collect();
        let mut headway = Headway::new(start());
        for n in 0..before {
            headway.hear(Sign::Call(&format!("Before {n}")), at(0));
        }
        let rounds = cycle.len() * limit as usize;
        for (n, call) in cycle.iter().cycle().take(rounds).enumerate() {
            prop_assert_eq!(headway.judge(at(1), &limits), None, "after {} calls", n);
            headway.hear(Sign::Call(call), at(1));
        }
        prop_assert!(headway.judge(at(1), &limits).is_some());
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut headway = Headway::new(start());
    for n in 0..3 * REMEMBERED {
        let words: String = format!("{n:x}").chars().map(|c| (c as u8 + 20) as char).collect();
        headway.hear(Sign::Said(&words), at(0));
    }
    assert_eq!(
        (headway.seen.len(), headway.order.len()),
        (REMEMBERED, REMEMBERED)
    );
}
