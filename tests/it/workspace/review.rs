//! A checkout for a reviewer: what is in it, and what is not.

use std::fs;

use super::world::{World, commit_all, git};

/// Seen to fail with an index for `diff`: the attributes of the work hid its own lines.
#[tokio::test]
async fn it_holds_the_base_and_the_work_and_nothing_else() {
    let world = World::new();
    let repo = world.path("repo");
    fs::write(repo.join("gone.txt"), "1\n2\n").unwrap();
    commit_all(&repo, "base");
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::remove_file(ws.root.join("gone.txt")).unwrap();
    fs::write(ws.root.join(".gitattributes"), "*.txt -diff\n").unwrap();
    fs::write(ws.root.join("new.txt"), "a\nb\nc").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", ws.root.join("link")).unwrap();
    let left = ws
        .commit_leftovers("the worker's own words", &ws.base.commit)
        .await;
    let commit = left.unwrap().commit.unwrap();
    let top = world.state("reviews/t/1-1/tree");
    let review = ws.review_at(&commit, &top).await.unwrap();
    assert_eq!(
        git(&top, &["log", "--all", "--format=%s"]),
        "The work under review\nThe base"
    );
    let tree = format!("{commit}^{{tree}}");
    assert_eq!(
        git(&top, &["rev-parse", "HEAD^{tree}"]),
        git(&repo, &["rev-parse", &tree])
    );
    git(&top, &["fsck", "--full"]);
    let objects = git(&top, &["cat-file", "--batch-all-objects", "--batch-check"]);
    assert!(
        !objects.contains(&commit) && !objects.contains(&ws.base.commit),
        "{objects}"
    );
    assert_eq!(git(&top, &["status", "--short"]), "");
    let diff = review.diff().await.unwrap();
    assert!(diff.contains("\n+c") && diff.contains("\n-2"), "{diff}");
    for (file, lines) in [
        ("new.txt", Some(3)),
        ("gone.txt", Some(2)),
        ("link", Some(1)),
        ("a.txt", Some(1)),
        ("absent", None),
        ("./new.txt", None),
        ("../tree/new.txt", None),
        (".git/HEAD", None),
        ("", None),
    ] {
        assert_eq!(review.lines_of(file), lines, "{file}");
    }
    assert!(review.is_untouched().await.unwrap());
    fs::write(top.join("a.txt"), "another").unwrap();
    assert!(!review.is_untouched().await.unwrap());
    drop(review);
    assert!(!top.exists());
}

#[tokio::test]
async fn what_others_brought_into_the_base_is_no_part_of_the_work() {
    let world = World::new();
    let ws = world.prepare("t", "../repo").await.unwrap();
    fs::write(world.path("repo").join("theirs.txt"), "x\n").unwrap();
    commit_all(&world.path("repo"), "somebody else's");
    fs::write(ws.root.join("ours.txt"), "y\n").unwrap();
    ws.commit_leftovers("work", &ws.base.commit).await.unwrap();
    let who = ["-c", "user.name=w", "-c", "user.email=w@localhost"];
    git(
        &ws.top,
        &[&who[..], &["merge", "--quiet", "--no-edit", "main"]].concat(),
    );
    let head = ws.head().await.unwrap();
    let review = ws
        .review_at(&head, &world.state("reviews/t/1-1/tree"))
        .await
        .unwrap();
    let diff = review.diff().await.unwrap();
    assert!(
        diff.contains("ours.txt") && !diff.contains("theirs.txt"),
        "{diff}"
    );
}
