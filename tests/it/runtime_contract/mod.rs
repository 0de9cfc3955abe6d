//! What holds for every runtime: the same stories, told of each.
//!
//! Adding a runtime is adding one entry to `subject::ALL`, with a cast that plays the stories' parts.

pub mod stage;
mod subject;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use orchestrator::domain::outcome::{EndKind, Evidence, Outcome, Session, Witnesses, judge};
use orchestrator::runtime::process::file;
use orchestrator::runtime::{Account, Signal};

use self::stage::{Ran, Stage, Wanted, until};
use self::subject::{ALL, Cast, KEY, Play, Subject};

/// A runtime on a stage, with somebody who plays the part.
async fn cast(subject: &dyn Subject, play: Play) -> (Stage, Cast) {
    let stage = Stage::new();
    let cast = subject.cast(&stage, play).await;
    (stage, cast)
}

async fn run(subject: &dyn Subject, play: Play) -> (Stage, Cast, Ran) {
    let (stage, cast) = cast(subject, play).await;
    let ran = stage.run(cast.runtime.as_ref()).await;
    (stage, cast, ran)
}

/// What it comes to when nothing was left behind.
fn outcome(ran: &Ran) -> Outcome {
    judge(&Witnesses {
        ending: &ran.ending,
        evidence: &Evidence::default(),
        session: Session::Ended,
        stopped: None,
    })
}

#[tokio::test]
async fn a_worker_that_ends_well_claims_to_be_done() {
    for subject in ALL {
        let (stage, _cast, ran) = run(*subject, Play::Done).await;
        let name = subject.name();
        assert_eq!(
            ran.ending.kind,
            EndKind::Claimed,
            "{name}: {}\n{}",
            ran.stdout,
            ran.stderr
        );
        assert!(!ran.ending.reason.is_empty(), "{name}");
        assert_eq!(stage.read("work"), "done\n", "{name}");
        assert_eq!(ran.account.session.is_some(), subject.has_sessions(), "{name}");
    }
}

#[tokio::test]
async fn a_later_attempt_goes_on_in_the_session_and_pays_for_itself_alone() {
    for subject in ALL.iter().filter(|s| s.has_sessions()) {
        let (mut stage, cast, first) = run(*subject, Play::Done).await;
        let name = subject.name();
        let told = first.signals.iter().find_map(|s| match s {
            Signal::Session(session) => Some(session.clone()),
            _ => None,
        });
        assert_eq!(
            told, first.account.session,
            "{name}: it is told while it runs, so that a restart knows it"
        );
        stage.next(&first);
        let second = stage.run(cast.runtime.as_ref()).await;
        assert_eq!(second.ending.kind, EndKind::Claimed, "{name}: {}", second.stdout);
        assert_eq!(second.account.session, first.account.session, "{name}");
        assert!(cast.resumed(&stage), "{name}: it began anew");
        let tokens = |account: &Account| (account.spent.input_tokens, account.spent.output_tokens);
        assert_eq!(
            tokens(&second.account),
            tokens(&first.account),
            "{name}: the same work costs the same"
        );
        assert!(tokens(&first.account).0 > Some(0), "{name}");
    }
}

#[tokio::test]
async fn a_poisoned_session_is_not_handed_on() {
    for subject in ALL.iter().filter(|s| s.has_sessions()) {
        let (_stage, _cast, ran) = run(*subject, Play::Poisoned).await;
        let name = subject.name();
        assert_eq!(
            ran.ending.kind,
            EndKind::Poisoned,
            "{name}: {}\n{}",
            ran.stdout,
            ran.stderr
        );
        let outcome = outcome(&ran);
        assert!(
            outcome.poisons_session() || ran.account.session.is_none(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn trouble_at_the_provider_is_told_apart() {
    let rows: [(Play, Wanted); 4] = [
        (Play::Limited, |kind| matches!(kind, EndKind::RateLimited { .. })),
        (Play::Overloaded, |kind| *kind == EndKind::Overloaded),
        (Play::Unauthorised, |kind| *kind == EndKind::Auth),
        (Play::Unreachable, |kind| *kind == EndKind::Network),
    ];
    for subject in ALL {
        for (play, wanted) in rows {
            let (_stage, _cast, ran) = run(*subject, play).await;
            let kind = ran.ending.kind;
            assert!(
                wanted(&kind),
                "{}: {play:?} is {kind:?}: {}\n{}",
                subject.name(),
                ran.stdout,
                ran.stderr
            );
            let outcome = outcome(&ran);
            assert!(outcome.is_provider_trouble(), "it costs no attempt");
        }
    }
}

/// Its family ignores SIGTERM and has left its process group.
#[tokio::test]
async fn killed_midway_nobody_is_left_and_nothing_is_claimed() {
    for subject in ALL {
        let (stage, cast) = cast(*subject, Play::Family).await;
        let running = stage.start(cast.runtime.as_ref()).await;
        let family = pids(&stage).await;
        running.kill_now().unwrap();
        let ran = stage.finish(&running, cast.runtime.as_ref()).await;
        let name = subject.name();
        assert_eq!(ran.ending.kind, EndKind::Interrupted, "{name}");
        let left: Vec<_> = family
            .into_iter()
            .filter(|pid| crate::main_job::world::is_alive(*pid))
            .collect();
        assert_eq!(left, Vec::<u32>::new(), "{name}");
    }
}

async fn pids(stage: &Stage) -> Vec<u32> {
    let path = stage.in_workspace("pids");
    until("its family runs", || {
        let text = fs::read_to_string(&path)
            .ok()
            .filter(|text| text.lines().count() > 1)?;
        text.ends_with('\n')
            .then(|| text.lines().map(|pid| pid.parse().unwrap()).collect())
    })
    .await
}

/// S08. Seen to fail with the caller's environment handed on whole.
#[tokio::test]
async fn the_environment_is_the_allow_list_of_every_descendant_too() {
    for subject in ALL {
        let (mut stage, cast) = cast(*subject, Play::Family).await;
        let canaries = (0..200).map(|n| {
            (
                OsString::from(format!("CANARY_{n}")),
                OsString::from(format!("canary-{n}")),
            )
        });
        stage.brief.inherited.extend(canaries);
        stage
            .brief
            .inherited
            .insert("ORCHESTRATOR_TOKEN".into(), "canary of another".into());
        let running = stage.start(cast.runtime.as_ref()).await;
        let family = pids(&stage).await;
        let name = subject.name();
        let worker = u32::try_from(running.worker().pid).unwrap();
        let own: BTreeSet<String> = names(&environ(worker)).collect();
        let mut allowed: BTreeSet<String> = CONTRACT.map(|name| format!("ORCHESTRATOR_{name}")).into();
        allowed.extend(["PATH", "HOME", "LANG"].map(str::to_owned));
        allowed.extend(GIT.map(str::to_owned));
        allowed.extend(subject.own_variables().iter().map(|name| (*name).to_owned()));
        assert_eq!(own, allowed, "{name}");
        for pid in family.into_iter().chain([worker]) {
            assert!(!environ(pid).to_lowercase().contains("canary"), "{name}: {pid}");
        }
        running.kill_now().unwrap();
        stage.finish(&running, cast.runtime.as_ref()).await;
    }
}

/// By these, git asks nobody for a password and pushes nothing.
const GIT: [&str; 4] = [
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_0",
    "GIT_CONFIG_VALUE_0",
    "GIT_TERMINAL_PROMPT",
];

const CONTRACT: [&str; 11] = [
    "ATTEMPT",
    "ATTEMPT_KEY",
    "HEARTBEAT_FILE",
    "MODEL",
    "OUTCOME_FILE",
    "PROGRESS_FILE",
    "PROMPT_FILE",
    "TASK_ID",
    "TIER",
    "TOKEN",
    "WORKSPACE",
];

fn environ(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap()).into_owned()
}

fn names(environ: &str) -> impl Iterator<Item = String> {
    environ
        .split('\0')
        .filter_map(|entry| Some(entry.split_once('=')?.0.to_owned()))
}

/// Whoever may list processes reads every argument; whoever reads the attempt's folder reads its specification.
#[tokio::test]
async fn secrets_are_in_no_argument_and_no_specification() {
    for subject in ALL {
        let (stage, cast) = cast(*subject, Play::Family).await;
        let running = stage.start(cast.runtime.as_ref()).await;
        let family = pids(&stage).await;
        let worker = u32::try_from(running.worker().pid).unwrap();
        let mut texts: Vec<String> = family
            .into_iter()
            .chain([worker])
            .map(|pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        texts.extend([file::SPEC, file::SUPERVISOR].map(|name| stage.text(name)));
        for secret in [KEY, stage.brief.token.as_str()] {
            assert!(
                texts.iter().all(|text| !text.contains(secret)),
                "{}: {texts:?}",
                subject.name()
            );
        }
        running.kill_now().unwrap();
        stage.finish(&running, cast.runtime.as_ref()).await;
    }
}

#[tokio::test]
async fn a_prompt_arrives_as_it_is() {
    let hostile = "--help -- $(touch /tmp/never) `x` \"q\" 'q' \\ ; & | > < * ~ %s \u{1f980} é\n-rf\n\tend";
    for subject in ALL {
        let (mut stage, cast) = cast(*subject, Play::Done).await;
        stage.brief.prompt = hostile.to_owned();
        let ran = stage.run(cast.runtime.as_ref()).await;
        let name = subject.name();
        assert_eq!(
            ran.ending.kind,
            EndKind::Claimed,
            "{name}: {}\n{}",
            ran.stdout,
            ran.stderr
        );
        let heard = cast.heard_prompt(&stage);
        assert!(heard.contains(hostile), "{name}: {heard}");
    }
}

/// After a restart the orchestrator reads a transcript from its start again.
#[tokio::test]
async fn the_same_transcript_gives_the_same_facts() {
    for subject in ALL {
        let (stage, cast, ran) = run(*subject, Play::Done).await;
        let (reader, signals) = stage.hear(cast.runtime.as_ref());
        assert_eq!(signals, ran.signals, "{}", subject.name());
        assert_eq!(reader.account(), ran.account);
        assert_eq!(reader.ending(&ran.exit, None, &ran.stderr), ran.ending);
    }
}

/// No UTF-8, no JSON, half of it, other JSON, lines of megabytes: passed over, and what is whole still counts.
#[tokio::test]
async fn garbage_between_the_lines_is_never_fatal() {
    let long = vec![b'x'; 3 << 20];
    let garbage: [&[u8]; 9] = [
        b"\xff\xfe\x00\x80",
        b"",
        b"{",
        b"null",
        b"[1,2]",
        b"{\"type\":7}",
        b"{\"type\":\"assistant\",\"message\":\"x\"}",
        b"{\"type\":\"item.completed\",\"item\":0}",
        &long,
    ];
    for subject in ALL {
        let (stage, cast, ran) = run(*subject, Play::Done).await;
        let mut text = Vec::new();
        for line in ran.stdout.lines() {
            garbage.iter().for_each(|bad| text.extend([*bad, b"\n"].concat()));
            text.extend([line.as_bytes(), b"\n"].concat());
        }
        fs::write(stage.brief.attempt_dir.join(file::STDOUT), text).unwrap();
        let (reader, _) = stage.hear(cast.runtime.as_ref());
        let name = subject.name();
        assert_eq!(
            reader.ending(&ran.exit, None, &ran.stderr).kind,
            ran.ending.kind,
            "{name}"
        );
        assert_eq!(reader.account(), ran.account, "{name}");
    }
}

/// An end that nobody saw, and a stop from outside, are what they are, whatever was printed before.
#[tokio::test]
async fn a_claim_does_not_outlive_its_process() {
    use orchestrator::runtime::Exit;
    use orchestrator::runtime::process::Cause;
    for subject in ALL {
        let (stage, cast, ran) = run(*subject, Play::Done).await;
        let (reader, _) = stage.hear(cast.runtime.as_ref());
        for (cause, kind) in [
            (Cause::Vanished, EndKind::Vanished),
            (Cause::Timeout, EndKind::Interrupted),
        ] {
            let exit = Exit {
                cause,
                status: None,
                ..ran.exit.clone()
            };
            assert_eq!(reader.ending(&exit, None, "").kind, kind, "{}", subject.name());
        }
    }
}

#[tokio::test]
async fn each_can_be_looked_for() {
    for subject in ALL {
        let (_stage, cast) = cast(*subject, Play::Done).await;
        let looked = tokio::time::timeout(Duration::from_secs(8), cast.runtime.probe()).await;
        let found = looked.expect("a probe takes five seconds at most");
        assert!(found.is_ok(), "{}: {found:?}", subject.name());
        assert!(!cast.runtime.kind().is_empty());
    }
}
