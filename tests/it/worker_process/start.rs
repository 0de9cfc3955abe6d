//! Starting: all of it arrives, or nothing runs and the reason is said.

use super::*;

#[tokio::test]
async fn it_runs_and_its_end_is_written_down() {
    let attempt = Attempt::sh("echo out; echo err >&2; exit 7");
    let exit = attempt.run().await;
    assert_eq!(
        (exit.cause.clone(), exit.status),
        (Cause::Exited, Some(Status::Code(7)))
    );
    assert_eq!(exit.code(), Some(7));
    assert_eq!(attempt.stdout(), "out\n");
    assert_eq!(
        fs::read_to_string(attempt.dir().join(file::STDERR)).unwrap(),
        "err\n"
    );
    assert_eq!(
        fs::read_to_string(attempt.dir().join(file::PROMPT)).unwrap(),
        "the prompt"
    );
    assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
    assert!(matches!(adopt(attempt.dir()).unwrap(), Adopted::Ended(again) if again == exit));
}

#[tokio::test]
async fn a_prompt_of_any_size_arrives_whole() {
    let mut attempt = Attempt::sh("sha256sum | cut -d' ' -f1");
    attempt.spec.launch.stdin = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let expected = {
        use sha2::Digest;
        sha2::Sha256::digest(&attempt.spec.launch.stdin)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    assert_eq!(attempt.run().await.code(), Some(0));
    assert_eq!(attempt.stdout().trim(), expected);
}

/// Seen to fail without the reset of the signal mask, and without closing what the starter left open.
#[tokio::test]
async fn it_starts_with_a_clean_slate() {
    let slate = Attempt::sh("ls /proc/self/fd | tr '\\n' ' '; ulimit -c; pwd");
    slate.run().await;
    // Descriptor 3 is the listing's own.
    let cwd = slate.spec.launch.cwd.to_str().unwrap();
    assert_eq!(slate.stdout(), format!("0 1 2 3 0\n{cwd}\n"));
    // Without a shell between, since that resets its children's signals.
    let signals = Attempt::of(&["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]);
    signals.run().await;
    for line in signals.stdout().lines() {
        let mask = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
        // 32 and up are the C library's own business.
        assert_eq!(mask & 0x7fff_ffff, 0, "{line}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_said_at_the_start() {
    let mut no_workspace = Attempt::sh("true");
    no_workspace.spec.launch.cwd = "/nonexistent/workspace".into();
    let no_permission = Attempt::of(&["./tool"]);
    fs::write(no_permission.in_workspace("tool"), "#!/bin/sh\n").unwrap();
    for (attempt, words) in [
        (
            Attempt::of(&["no-such-program-here"]),
            "no program 'no-such-program-here'",
        ),
        (Attempt::of(&[]), "command is empty"),
        (no_permission, "chmod"),
        (no_workspace, "/nonexistent/workspace"),
    ] {
        let refused = start(Path::new(EXE), &attempt.spec).await.unwrap_err();
        assert!(
            matches!(&refused, StartError::Refused { reason } if reason.contains(words)),
            "{refused}"
        );
        let Adopted::Ended(exit) = adopt(attempt.dir()).unwrap() else {
            panic!("its end is to be known")
        };
        assert!(matches!(exit.cause, Cause::SpawnFailed { .. }));
        assert_eq!(confirm_dead(attempt.dir()).unwrap(), Death::Confirmed);
    }
}

#[tokio::test]
async fn what_cannot_supervise_is_no_riddle_either() {
    let attempt = Attempt::sh("true");
    let missing = start(Path::new("/nonexistent/orchestrator"), &attempt.spec)
        .await
        .unwrap_err();
    assert!(
        missing.to_string().contains("/nonexistent/orchestrator"),
        "{missing}"
    );
    let mute = start(Path::new("/bin/true"), &Attempt::sh("true").spec)
        .await
        .unwrap_err();
    assert!(matches!(mute, StartError::Supervisor { .. }), "{mute}");
}

#[tokio::test]
async fn an_attempt_starts_once_and_not_after_it_was_given_up() {
    let given_up = Attempt::sh("echo $$ >> pids");
    fs::create_dir_all(given_up.dir()).unwrap();
    assert!(matches!(adopt(given_up.dir()).unwrap(), Adopted::NeverStarted));
    assert!(matches!(
        start(Path::new(EXE), &given_up.spec).await,
        Err(StartError::Taken { .. })
    ));
    let twice = Attempt::sh("exit 0");
    twice.run().await;
    assert!(matches!(
        start(Path::new(EXE), &twice.spec).await,
        Err(StartError::Taken { .. })
    ));
}

/// The supervisor comes second to the registration of somebody who looked meanwhile: its worker must not run.
#[tokio::test]
async fn a_start_that_was_given_up_meanwhile_runs_nothing() {
    for _ in 0..10 {
        let attempt = Attempt::sh("echo ran > ran");
        let dir = attempt.dir().to_owned();
        fs::create_dir_all(&dir).unwrap();
        let looker = std::thread::spawn(move || {
            until(|| dir.join(file::COMPLAINTS).exists().then_some(()));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let _in_it = runtime.enter();
            matches!(adopt(&dir).unwrap(), Adopted::NeverStarted)
        });
        let started = start(Path::new(EXE), &attempt.spec).await;
        let given_up = looker.join().unwrap();
        assert_eq!(started.is_err(), given_up);
        if let Ok(running) = started {
            finish(&running).await;
        }
        assert_eq!(attempt.in_workspace("ran").exists(), !given_up);
    }
}
