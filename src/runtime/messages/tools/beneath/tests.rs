use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Place {
    _folder: tempfile::TempDir,
    outside: PathBuf,
    inside: PathBuf,
    root: Root,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let (outside, inside) = (folder.path().join("outside"), folder.path().join("ws"));
    fs::create_dir_all(inside.join("src")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(inside.join("src/a.txt"), "a").unwrap();
    let root = Root::open(&inside).unwrap();
    Place {
        _folder: folder,
        outside,
        inside,
        root,
    }
}

#[test]
fn paths_within_are_served() {
    let place = place();
    assert_eq!(place.root.read("src/a.txt").unwrap(), b"a");
    assert_eq!(place.root.read("./src//a.txt").unwrap(), b"a");
    let absolute = place.inside.canonicalize().unwrap().join("src/a.txt");
    assert_eq!(place.root.read(absolute.to_str().unwrap()).unwrap(), b"a");
    place.root.write("new/deep/b.txt", b"b").unwrap();
    assert_eq!(fs::read(place.inside.join("new/deep/b.txt")).unwrap(), b"b");
    assert!(place.root.is_folder("").unwrap() && place.root.is_folder("src").unwrap());
    assert!(!place.root.is_folder("src/a.txt").unwrap());
    assert_eq!(place.root.list(".", 1).unwrap(), (vec!["new/".to_owned()], 2));
    symlink("a.txt", place.inside.join("src/link")).unwrap();
    assert_eq!(place.root.read("src/link").unwrap(), b"a");
}

#[test]
fn a_replaced_file_keeps_its_mode_and_leaves_nothing_behind() {
    let place = place();
    let path = place.inside.join("src/a.txt");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
    place.root.write("src/a.txt", b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o751);
    assert_eq!(fs::read_dir(place.inside.join("src")).unwrap().count(), 1);
}

#[test]
fn no_path_leads_out() {
    let place = place();
    let secret = place.outside.join("secret");
    symlink(&place.outside, place.inside.join("dir_link")).unwrap();
    symlink("../outside", place.inside.join("rel_link")).unwrap();
    symlink(&secret, place.inside.join("file_link")).unwrap();
    symlink("/", place.inside.join("slash")).unwrap();
    symlink("/proc/self/root", place.inside.join("magic")).unwrap();
    symlink("loop", place.inside.join("loop")).unwrap();
    let absolute = secret.to_str().unwrap().to_owned();
    for path in [
        "../outside/secret",
        "src/../../outside/secret",
        &absolute,
        "/etc/passwd",
        "dir_link/secret",
        "rel_link/secret",
        "file_link",
        "slash/etc/passwd",
        "magic/etc/passwd",
        "loop",
    ] {
        assert!(
            matches!(place.root.read(path), Err(Refused::Outside { .. })),
            "read {path}"
        );
        assert!(place.root.write(path, b"pwned").is_err(), "write {path}");
        assert!(place.root.list(path, 9).is_err(), "list {path}");
    }
    for path in ["dir_link/new", "rel_link/deep/new", "../new", "/tmp/../tmp/x"] {
        assert!(
            matches!(place.root.write(path, b"x"), Err(Refused::Outside { .. })),
            "write {path}"
        );
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_is_refused() {
    let place = place();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.inside.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    symlink("src/a.txt", place.inside.join("link")).unwrap();
    fs::write(place.inside.join(".git"), "gitdir: /x").unwrap();
    let root = &place.root;
    let told = |refused: Result<(), Refused>, word: &str| {
        let text = refused.map_err(|refused| refused.to_string()).unwrap_err();
        assert!(text.contains(word), "{text}");
    };
    for (path, word) in [
        ("fifo", "no regular file"),
        ("src", "folder"),
        ("a\0b", "NUL"),
        ("missing", "No such file"),
    ] {
        told(root.read(path).map(|_| ()), word);
    }
    for (path, word) in [
        ("fifo", "no regular file"),
        ("src", "folder"),
        ("link", "symlink"),
        (".git", "git"),
        ("sub/.GIT/hooks/x", "git"),
        ("", "workspace itself"),
    ] {
        told(root.write(path, b""), word);
    }
    assert!(place.root.write("src/a.txt/x", b"").is_err());
}

#[test]
fn a_hard_link_to_the_outside_is_cut() {
    let place = place();
    fs::hard_link(place.outside.join("secret"), place.inside.join("hard")).unwrap();
    place.root.write("hard", b"mine").unwrap();
    assert_eq!(fs::read(place.outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read(place.inside.join("hard")).unwrap(), b"mine");
}

#[test]
fn files_that_are_too_large_are_refused() {
    let place = place();
    let file = File::create(place.inside.join("big")).unwrap();
    file.set_len(MAX_FILE + 1).unwrap();
    assert!(place.root.read("big").unwrap_err().to_string().contains("larger"));
}

/// A folder and a symlink that leads out are swapped all the time; no read or write may ever follow the link.
#[test]
fn a_symlink_that_is_swapped_in_never_leads_out() {
    let place = place();
    let (swap, real, link) = (
        place.inside.join("swap"),
        place.inside.join("real"),
        place.inside.join("link"),
    );
    fs::create_dir(&real).unwrap();
    fs::write(real.join("secret"), "harmless").unwrap();
    symlink(&place.outside, &link).unwrap();
    fs::rename(&real, &swap).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut leaked = false;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, &swap, rustix::fs::CWD, &link, exchange).unwrap();
            }
        });
        for _ in 0..5_000 {
            // Asserted after the loop: a panic here would leave the other thread swapping for ever.
            leaked |= place
                .root
                .read("swap/secret")
                .is_ok_and(|bytes| bytes != b"harmless");
            // Refusals are expected; what counts is where the bytes go.
            let _ = place.root.write("swap/new", b"x");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(
        fs::read_dir(&place.outside).unwrap().count(),
        1,
        "something was written outside"
    );
}

#[test]
fn the_way_of_older_kernels_follows_no_symlink() {
    let place = place();
    symlink(&place.outside, place.inside.join("dir_link")).unwrap();
    symlink(place.outside.join("secret"), place.inside.join("file_link")).unwrap();
    let walk = |path: &str| place.root.walk(Path::new(path), OFlags::RDONLY | OFlags::CLOEXEC);
    assert!(walk("src/a.txt").is_ok() && walk(".").is_ok());
    assert_eq!(walk("file_link").unwrap_err(), Errno::LOOP);
    assert!(walk("dir_link/secret").is_err());
}

proptest! {
    #[test]
    fn no_text_as_a_path_reads_the_outside(path in "[./a-z~\\\\ ]{0,30}|(\\.\\./){0,4}(outside/secret|ws/src/a.txt)") {
        let place = place();
        if let Ok(bytes) = place.root.read(&path) {
            prop_assert_eq!(bytes, b"a");
        }
    }
}
