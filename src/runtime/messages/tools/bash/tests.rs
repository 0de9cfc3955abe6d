use super::*;
use std::time::Instant;

async fn run(command: &str, seconds: u64) -> (Answer, usize) {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell {
        workspace: folder.path().to_owned(),
        limit: Duration::from_secs(seconds),
    };
    let mut beats = 0;
    let answer = shell
        .run(
            Input {
                command: command.into(),
                timeout: None,
            },
            &mut || beats += 1,
        )
        .await;
    (answer, beats)
}

#[tokio::test]
async fn both_streams_and_the_code_are_told() {
    let (answer, beats) = run("echo out; echo err >&2; exit 3", 10).await;
    assert!(answer.is_error && beats > 0);
    assert!(answer.text.contains("out\n") && answer.text.contains("err\n"));
    assert!(answer.text.ends_with("[exit code 3]"), "{}", answer.text);
    let (quiet, beats) = run("true", 10).await;
    assert_eq!(
        (quiet.text.as_str(), quiet.is_error, beats),
        ("[exit code 0]", false, 0)
    );
}

#[tokio::test]
async fn ten_megabytes_stay_bounded_and_clean() {
    let (answer, _) = run(
        "head -c 10000000 /dev/zero | tr '\\0' x; printf '\\033[31mred\\000'",
        60,
    )
    .await;
    assert!(answer.text.len() < MAX_OUTPUT + 200, "{}", answer.text.len());
    assert!(answer.text.contains("bytes left out"));
    assert!(answer.text.ends_with("red\n[exit code 0]"));
}

#[tokio::test]
async fn a_hung_command_dies_with_its_whole_group() {
    let marker = tempfile::tempdir().unwrap();
    let pid_file = marker.path().join("pid");
    let start = Instant::now();
    let command = format!(
        "echo before; sh -c 'trap \"\" TERM; echo $$ > {}; sleep 300' & sleep 300",
        pid_file.display()
    );
    let (answer, _) = run(&command, 1).await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(answer.is_error && answer.text.contains("before"));
    assert!(answer.text.contains("longer than 1 s"));
    assert_gone(&pid_file);
}

#[tokio::test]
async fn what_is_left_in_the_background_is_killed() {
    let marker = tempfile::tempdir().unwrap();
    let pid_file = marker.path().join("pid");
    let start = Instant::now();
    let (answer, _) = run(
        &format!("sleep 300 & echo $! > {}; echo started", pid_file.display()),
        60,
    )
    .await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(
        answer.text.contains("started") && answer.text.contains("were killed"),
        "{}",
        answer.text
    );
    assert!(!answer.is_error);
    assert_gone(&pid_file);
}

fn assert_gone(pid_file: &std::path::Path) {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    let deadline = Instant::now() + Duration::from_secs(5);
    let gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
    while !gone() {
        assert!(Instant::now() < deadline, "process {pid} lives on");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_nul_byte_is_refused_and_the_time_limit_has_a_ceiling() {
    assert!(run("echo a\0b", 5).await.0.text.contains("NUL"));
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell {
        workspace: folder.path().to_owned(),
        limit: Duration::from_secs(1),
    };
    let input = Input {
        command: "sleep 300".into(),
        timeout: Some(u64::MAX),
    };
    assert!(
        shell
            .run(input, &mut || {})
            .await
            .text
            .contains("longer than 1 s")
    );
}

#[tokio::test]
async fn a_workspace_that_is_gone_is_said() {
    let shell = Shell {
        workspace: "/nonexistent/ws".into(),
        limit: Duration::from_secs(1),
    };
    let answer = shell
        .run(
            Input {
                command: "true".into(),
                timeout: None,
            },
            &mut || {},
        )
        .await;
    assert!(answer.is_error && answer.text.contains("did not start"));
}
