use proptest::prelude::*;

use super::*;

const ROOM: Around = Around {
    addressed: false,
    of_task: false,
};
const TO_BOT: Around = Around {
    addressed: true,
    of_task: false,
};
const THREAD: Around = Around {
    addressed: false,
    of_task: true,
};

fn task(verb: TaskVerb, of: Option<&str>, words: &str) -> Read {
    Read::Order(Order::Task {
        verb,
        of: of.map(str::to_owned),
        words: words.to_owned(),
    })
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn what_people_write() {
    let new = |text: &str| Read::Order(Order::New { text: text.into() });
    let rows = [
        ("!status", ROOM, Read::Order(Order::Status)),
        ("  !STATUS please", ROOM, Read::Order(Order::Status)),
        ("/st", ROOM, Read::Order(Order::Status)),
        ("status", TO_BOT, Read::Order(Order::Status)),
        ("status", ROOM, Read::Words),
        ("what is the status?", TO_BOT, Read::Words),
        ("!sttaus", ROOM, Read::Order(Order::Status)),
        ("!staus", ROOM, Read::Order(Order::Status)),
        ("!show fix-api", ROOM, task(TaskVerb::Show, Some("fix-api"), "")),
        (
            "!yes `fix-api` looks good",
            ROOM,
            task(TaskVerb::Approve, Some("fix-api"), "looks good"),
        ),
        ("!no", THREAD, task(TaskVerb::Reject, None, "")),
        (
            "!no the port is wrong",
            THREAD,
            task(TaskVerb::Reject, None, "the port is wrong"),
        ),
        ("approve", THREAD, task(TaskVerb::Approve, None, "")),
        ("Approve!", THREAD, task(TaskVerb::Approve, None, "")),
        ("cancel", THREAD, task(TaskVerb::Cancel, None, "")),
        ("cancel that plan and use sqlite", THREAD, Read::Words),
        (
            "cancel that plan",
            Around {
                addressed: true,
                of_task: true,
            },
            Read::Words,
        ),
        ("aprove", THREAD, Read::Words),
        (
            "!queue fix-login: Mend the login\nIt fails.",
            ROOM,
            new("fix-login: Mend the login\nIt fails."),
        ),
        ("!stop all", ROOM, Read::Order(Order::StopAll)),
        ("!stop --all", ROOM, Read::Order(Order::StopAll)),
        (
            "!agent reviewer",
            ROOM,
            Read::Order(Order::Agent {
                name: Some("reviewer".into()),
            }),
        ),
        (
            "!save before lunch",
            ROOM,
            Read::Order(Order::Save {
                name: "before".into(),
            }),
        ),
        ("", ROOM, Read::Words),
        ("", TO_BOT, Read::Order(Order::Help)),
        ("!", ROOM, Read::Order(Order::Help)),
        ("!?", ROOM, Read::Order(Order::Help)),
    ];
    for (text, around, wanted) in rows {
        assert_eq!(read(text, around), wanted, "{text:?} {around:?}");
    }
}

#[test]
fn what_is_not_understood_says_what_to_write() {
    let rows = [
        ("!aprove fix-api", "!approve"),
        ("!cancle fix-api", "!cancel"),
        ("!retyr x", "!retry"),
        ("!stop", "!stop all"),
        ("!show", "!show ID"),
        ("!new", "!new ID: TITLE"),
        ("!load", "!load NAME"),
        ("!frobnicate", "!help"),
    ];
    for (text, cure) in rows {
        match read(text, ROOM) {
            Read::Unclear(why) => assert!(why.contains(cure), "{text}: {why}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn whoever_sees_does_not_steer() {
    let needs = |text: &str| match read(text, ROOM) {
        Read::Order(order) => order.needs(),
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "!status", "!show a", "!why a", "!logs a", "!usage", "!archive", "!help",
    ] {
        assert_eq!(needs(text), Role::Viewer, "{text}");
    }
    for text in [
        "!pause a",
        "!resume a",
        "!cancel a",
        "!retry a",
        "!yes a",
        "!no a",
        "!tell a b",
        "!new a: b",
        "!stop all",
    ] {
        assert_eq!(needs(text), Role::Operator, "{text}");
    }
    for text in ["!settings", "!start"] {
        assert_eq!(needs(text), Role::Owner, "{text}");
    }
}

#[test]
fn the_help_names_every_order_once() {
    let help = help();
    for word in [
        "status", "new", "show", "why", "pause", "resume", "cancel", "retry", "approve", "reject", "logs",
        "usage", "archive", "agent", "clear", "save", "load", "reset", "context", "settings", "stop all",
    ] {
        let begins = format!("!{word} ");
        let lines = help.lines().filter(|line| line.starts_with(&begins)).count();
        assert_eq!(lines, 1, "{word}\n{help}");
    }
}

proptest! {
    #[test]
    fn talk_among_people_is_never_an_order(text in "[a-z ]{0,40}") {
        prop_assert_eq!(read(&text, ROOM), Read::Words);
    }

    #[test]
    fn no_text_breaks_it(text in "\\PC{0,60}", addressed: bool, of_task: bool) {
        let _ = read(&text, Around { addressed, of_task });
    }

    #[test]
    fn what_cannot_be_taken_back_is_written_to_the_letter(text in "![a-z]{1,9} x") {
        if let Read::Order(Order::Task { verb: TaskVerb::Cancel | TaskVerb::Approve | TaskVerb::Retry, .. }) = read(&text, ROOM) {
            let word = text.split_whitespace().next().unwrap();
            prop_assert!(["!cancel", "!approve", "!yes", "!y", "!ok", "!retry", "!rerun"].contains(&word));
        }
    }
}
