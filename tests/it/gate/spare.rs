//! Spare checkouts: the gate is given one that nobody touched, or one that is made from nothing; nobody can tell which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use orchestrator::domain::gate::{GateReport, Verdict};
use orchestrator::workspace::{GateCheckout, Spares};

use super::{Case, check, receipt, run};
use crate::workspace::world::{World, commit_all, git, id};

/// A repository large enough for spares, with what a checkout can hold.
async fn large() -> (Case, Spares) {
    let world = World::new();
    let repo = world.path("repo");
    fs::create_dir_all(repo.join("src/deep")).unwrap();
    for n in 0..600 {
        fs::write(repo.join(format!("src/f{n}.txt")), format!("{n}\nline\n")).unwrap();
    }
    fs::write(repo.join(".gitignore"), "*.log\n").unwrap();
    fs::write(repo.join("src/deep/x"), "x").unwrap();
    fs::write(repo.join("run.sh"), "true\n").unwrap();
    symlink("src/deep", repo.join("link")).unwrap();
    commit_all(&repo, "large");
    let workspace = world.prepare("t", "../repo").await.unwrap();
    let spares = Spares::new(&world.path("instance/.orchestrator"));
    spares.keep();
    (Case { world, workspace }, spares)
}

async fn laid(case: &Case, spares: &Spares) -> PathBuf {
    spares.lay_soon(&case.workspace);
    spares.settled().await;
    let homes = folders(&case.world.state("spare"));
    assert_eq!(homes.len(), 1, "one a repository");
    homes[0].clone()
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries.map(|e| e.path()).collect()
}

/// Tells files apart, as long as somebody holds the one that is gone: its number is given to another else.
fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

async fn judged(case: &Case, spares: &Spares, script: &str) -> GateReport {
    let head = case.workspace.head().await.unwrap();
    let checks = [check(script)];
    let mut request = case.request(&head, &checks);
    request.spares = Some(spares);
    run(&request).await
}

/// Every path of a checkout with all that can be told of it: kind, mode, content. The times are its own.
fn seen(checkout: &GateCheckout) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let top = checkout.top();
    let mut all = BTreeMap::new();
    let mut waiting = vec![top.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for path in folders(&folder) {
            let found = path.symlink_metadata().unwrap();
            let content = match found.file_type() {
                kind if kind.is_dir() => {
                    waiting.push(path.clone());
                    Vec::new()
                }
                kind if kind.is_symlink() => fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                // Times and inodes stand in the index.
                _ if path.ends_with(".git/index") => Vec::new(),
                _ => fs::read(&path).unwrap(),
            };
            all.insert(
                path.strip_prefix(top).unwrap().to_path_buf(),
                (found.mode(), content),
            );
        }
    }
    all
}

#[tokio::test]
async fn the_first_gate_of_a_repository_has_none_and_the_next_one_has() {
    let (case, spares) = large().await;
    assert!(folders(&case.world.state("spare")).is_empty());
    let first = judged(&case, &spares, "test -e src/f1.txt").await;
    assert_eq!(first.verdict(), Verdict::Passed, "{first:#?}");
    let home = laid(&case, &spares).await;
    let was = inode(&home.join("tree/src/f1.txt"));
    let next = judged(&case, &spares, "stat -c %i src/f1.txt").await;
    assert_eq!(next.verdict(), Verdict::Passed);
    assert_eq!(
        next.receipts[0].output_tail.trim(),
        was.to_string(),
        "the spare was used"
    );
    assert!(!home.exists(), "and nobody has it a second time");
    laid(&case, &spares).await;
    assert!(folders(&case.world.state("gate")).is_empty());
}

/// Seen to fail with `spares` taken out of `hold_to_difference`: the base was checked out from nothing.
#[tokio::test]
async fn the_base_is_judged_in_the_spare_that_was_laid_while_the_checks_ran() {
    let (case, spares) = large().await;
    case.write("b.txt", "b");
    case.commit();
    let seen = case.world.path("seen");
    let (at, state) = (seen.display(), case.world.state("spare"));
    let waits = format!(
        "until test -e {0}/*/index && test ! -e {0}/*/unseen; do sleep 0.05; done; sleep 0.5; stat -c %i {0}/*/tree/src/f1.txt",
        state.display()
    );
    // The number of the spare's file is told where the work is, and the own one at the base.
    let script = format!(
        "if test -e b.txt; then {{ {waits}; }} >> {at} 2>/dev/null; else stat -c %i src/f1.txt >> {at}; fi; exit 1"
    );
    judged(&case, &spares, &script).await;
    let seen = fs::read_to_string(seen).unwrap();
    let numbers: Vec<&str> = seen.lines().collect();
    assert_eq!(numbers.len(), 2, "{seen}");
    assert_eq!(numbers[0], numbers[1], "the spare was used");
}

/// Seen to fail with the comparison of imprints in `Spare::is_fit` taken out.
#[tokio::test]
async fn whoever_touches_a_spare_touches_no_gate() {
    type Deed = fn(&Path);
    let deeds: [(&str, Deed); 8] = [
        ("a file changed, its times put back", |home| {
            let file = home.join("tree/src/f1.txt");
            let time = fs::metadata(&file).unwrap().modified().unwrap();
            fs::write(&file, "1\nevil\n").unwrap();
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }),
        ("an extra file", |home| {
            fs::write(home.join("tree/src/extra.txt"), "x").unwrap()
        }),
        ("an extra ignored file", |home| {
            fs::write(home.join("tree/extra.log"), "x").unwrap()
        }),
        ("an extra folder", |home| {
            fs::create_dir(home.join("tree/extra")).unwrap()
        }),
        ("the index says that the change is none", |home| {
            fs::write(home.join("tree/src/f1.txt"), "1\nevil\n").unwrap();
            let (tree, index) = (home.join("tree"), home.join("index"));
            let repository = home.ancestors().nth(4).unwrap().join("repo/.git");
            let done = std::process::Command::new("git")
                .args(["update-index", "--assume-unchanged", "src/f1.txt"])
                .current_dir(&tree)
                .envs([
                    ("GIT_DIR", &repository),
                    ("GIT_WORK_TREE", &tree),
                    ("GIT_INDEX_FILE", &index),
                ])
                .status();
            assert!(done.unwrap().success());
        }),
        ("a link became a folder", |home| {
            fs::remove_file(home.join("tree/link")).unwrap();
            fs::create_dir(home.join("tree/link")).unwrap();
            fs::write(home.join("tree/link/x"), "evil").unwrap();
        }),
        ("the tree became a link", |home| {
            fs::rename(home.join("tree"), home.join("away")).unwrap();
            symlink("away", home.join("tree")).unwrap();
        }),
        ("it is gone", |home| fs::remove_dir_all(home).unwrap()),
    ];
    for (what, deed) in deeds {
        let (case, spares) = large().await;
        let home = laid(&case, &spares).await;
        let was = inode(&home.join("tree/run.sh"));
        let _held = fs::File::open(home.join("tree/run.sh")).unwrap();
        deed(&home);
        let script = "stat -c %i run.sh; grep -q line src/f1.txt; test -L link; test ! -e src/extra.txt; test ! -e extra.log; test ! -e extra";
        let report = judged(&case, &spares, script).await;
        assert_eq!(report.verdict(), Verdict::Passed, "{what}: {report:#?}");
        assert_ne!(report.receipts[0].output_tail.trim(), was.to_string(), "{what}");
        assert_eq!(receipt(&report, "git-clean").output_tail, "nothing uncommitted");
    }
}

/// All that can become of a file between the spare's commit and the judged one.
fn work(case: &Case) {
    let at = |name: &str| case.workspace.root.join(name);
    for n in 0..20 {
        fs::write(at(&format!("src/f{n}.txt")), format!("{n}\nother\n")).unwrap();
    }
    fs::remove_file(at("src/f30.txt")).unwrap();
    fs::remove_file(at("src/f31.txt")).unwrap();
    fs::create_dir(at("src/f31.txt")).unwrap();
    fs::write(at("src/f31.txt/inner"), "i").unwrap();
    fs::remove_dir_all(at("src/deep")).unwrap();
    fs::write(at("src/deep"), "a file now").unwrap();
    fs::remove_file(at("link")).unwrap();
    symlink("run.sh", at("link")).unwrap();
    fs::set_permissions(at("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("new file.txt"), "n").unwrap();
}

#[tokio::test]
async fn a_checkout_of_a_spare_is_the_same_as_a_fresh_one() {
    type Change = fn(&Case);
    let cases: [(&str, Change, bool); 5] = [
        ("nothing", |_| {}, true),
        ("much", work, true),
        (
            "attributes",
            |c| c.write(".gitattributes", "*.txt text eol=crlf\n"),
            false,
        ),
        (
            "attributes below",
            |c| c.write("src/.gitattributes", "f5* text eol=crlf\n"),
            false,
        ),
        (
            "configuration",
            |c| drop(git(&c.world.path("repo"), &["config", "core.autocrlf", "true"])),
            false,
        ),
    ];
    for (what, change, used) in cases {
        let (case, spares) = large().await;
        let home = laid(&case, &spares).await;
        let was = inode(&home.join("tree/src/f500.txt"));
        let _held = fs::File::open(home.join("tree/src/f500.txt")).unwrap();
        change(&case);
        let head = case.commit();
        let ws = &case.workspace;
        let of_spare = ws.checkout_with(Some(&spares), &head).await.unwrap();
        let fresh = ws.checkout_at(&head).await.unwrap();
        assert_eq!(inode(&of_spare.top().join("src/f500.txt")) == was, used, "{what}");
        assert!(seen(&of_spare) == seen(&fresh), "{what}");
        assert_eq!(
            of_spare.dirt().await.unwrap(),
            fresh.dirt().await.unwrap(),
            "{what}"
        );
        let status = |c: &GateCheckout| git(c.top(), &["status", "--porcelain", "--ignored"]);
        assert!(!used || status(&of_spare).is_empty(), "{what}");
    }
}

#[tokio::test]
async fn of_two_gates_at_once_one_has_the_spare() {
    let (case, spares) = large().await;
    let home = laid(&case, &spares).await;
    let was = inode(&home.join("tree/src/f1.txt"));
    let head = case.workspace.head().await.unwrap();
    let (one, two) = tokio::join!(
        case.workspace.checkout_with(Some(&spares), &head),
        case.workspace.checkout_with(Some(&spares), &head)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    let had = [&one, &two].map(|c| inode(&c.top().join("src/f1.txt")) == was);
    assert_eq!(had.iter().filter(|had| **had).count(), 1);
    assert!(one.top() != two.top() && seen(&one) == seen(&two));
}

#[tokio::test]
async fn what_a_process_that_died_left_is_used_by_nobody_and_goes() {
    let (case, spares) = large().await;
    let home = laid(&case, &spares).await;
    let was = inode(&home.join("tree/src/f1.txt"));
    // The next process knows of no spare, whatever lies there.
    let next = Spares::new(&case.world.path("instance/.orchestrator"));
    let head = case.workspace.head().await.unwrap();
    let checkout = case.workspace.checkout_with(Some(&next), &head).await.unwrap();
    assert_ne!(inode(&checkout.top().join("src/f1.txt")), was);
    // It dies after it has claimed one.
    let claimed = case.workspace.checkout_with(Some(&spares), &head).await.unwrap();
    assert_eq!(inode(&claimed.top().join("src/f1.txt")), was);
    std::mem::forget((checkout, claimed));
    laid(&case, &spares).await;
    std::mem::forget(spares);
    let pruned = case
        .world
        .all
        .prune(&BTreeSet::from([id("other")]))
        .await
        .unwrap();
    assert_eq!((pruned.checkouts, pruned.kept.len()), (3, 0));
    for kind in ["spare", "gate"] {
        assert!(folders(&case.world.state(kind)).is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn spares_go_with_the_last_task_of_their_repository() {
    let (case, spares) = large().await;
    laid(&case, &spares).await;
    spares.retain(&case.world.all.in_use().unwrap());
    spares.settled().await;
    assert_eq!(folders(&case.world.state("spare")).len(), 1);
    case.world.all.remove_worktree(&id("t")).await.unwrap();
    spares.retain(&case.world.all.in_use().unwrap());
    spares.settled().await;
    assert!(folders(&case.world.state("spare")).is_empty() && spares.is_empty());
}

#[tokio::test]
async fn a_small_repository_and_a_process_that_does_not_stay_have_none() {
    let case = Case::new().await;
    let spares = Spares::new(&case.world.path("instance/.orchestrator"));
    spares.keep();
    spares.lay_soon(&case.workspace);
    spares.settled().await;
    assert!(folders(&case.world.state("spare")).is_empty());
    let (case, spares) = large().await;
    let left = Spares::new(&case.world.path("instance/.orchestrator"));
    left.lay_soon(&case.workspace);
    left.settled().await;
    assert!(folders(&case.world.state("spare")).is_empty());
    laid(&case, &spares).await;
    spares.end().await;
    spares.lay_soon(&case.workspace);
    spares.settled().await;
    assert!(
        folders(&case.world.state("spare")).is_empty(),
        "nothing stays behind"
    );
}
