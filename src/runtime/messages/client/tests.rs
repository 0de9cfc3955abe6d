use super::*;
use proptest::prelude::*;

#[test]
fn waits_are_bounded() {
    let limited = |seconds| Trouble {
        retry_after: Some(Duration::from_secs(seconds)),
        ..Trouble::new(Kind::RateLimited, "x")
    };
    let mut plan = Plan::default();
    assert_eq!(plan.next(&limited(2)), Some(Duration::from_secs(2)));
    assert_eq!(plan.next(&limited(3)), Some(Duration::from_secs(3)));
    assert_eq!(plan.next(&limited(1)), None);
    assert_eq!(Plan::default().next(&limited(7999)), None);
    assert_eq!(Plan::default().next(&Trouble::new(Kind::RateLimited, "x")), None);
    let mut plan = Plan::default();
    let rounds = std::iter::from_fn(|| plan.next(&limited(0))).count();
    assert_eq!(rounds, 20);
}

#[test]
fn each_kind_has_its_number_of_tries() {
    for (kind, retries) in [
        (Kind::Overloaded, 2),
        (Kind::Network, 2),
        (Kind::Cut, 1),
        (Kind::Idle, 0),
        (Kind::Auth, 0),
        (Kind::Billing, 0),
        (Kind::Poisoned, 0),
        (Kind::Refused, 0),
    ] {
        let mut plan = Plan::default();
        let count = std::iter::from_fn(|| plan.next(&Trouble::new(kind, "x"))).count();
        assert_eq!(count, retries, "{kind:?}");
    }
}

#[test]
fn retry_after_in_all_its_forms() {
    assert_eq!(parse_retry_after("7"), Some(Duration::from_secs(7)));
    assert_eq!(parse_retry_after(" 0.5 "), Some(Duration::from_millis(500)));
    for nonsense in [
        "",
        "-1",
        "NaN",
        "inf",
        "1e300",
        "soon",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(parse_retry_after(nonsense), None, "{nonsense}");
    }
    let later = (super::super::worker::now() + chrono::Duration::seconds(3600)).to_rfc2822();
    assert!(parse_retry_after(&later).unwrap() > Duration::from_secs(3500));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_never_panic_the_stream(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
        let stream = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, String>)).eventsource();
        let folded = futures_util::FutureExt::now_or_never(stream.fold(Assembly::default(), |mut assembly, event| async move {
            if let Some(event) = event.ok().and_then(|event| serde_json::from_str(&event.data).ok()) {
                assembly.push(event);
            }
            assembly
        }));
        prop_assert!(folded.is_some());
        let _ = folded.unwrap_or_default().finish();
    }
}
