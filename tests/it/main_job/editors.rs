//! Editors, good and bad, while the service writes into the same file (F14): torn in the middle of a write, replaced by a rename,
//! deleted and made again, two at once, and an older version of the file under `git checkout`. What was last read well counts; no
//! task is lost, done twice, or done again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use super::world::{World, section};
use crate::simulation::dice::Dice;

/// A worker's ledger.
const LEDGER: &str = "ledger=\"$home/../ledger\"
    exec 8>>\"$ledger.$ORCHESTRATOR_TASK_ID.lock\"
    flock -n 8 || echo \"overlap $ORCHESTRATOR_TASK_ID\" >> \"$ledger\"
    echo \"start $ORCHESTRATOR_TASK_ID\" >> \"$ledger\"
    date > done.txt";
const ACTIVE: &str = "## Active Tasks\n";
const QUEUE: &str = "PROACTIVE-JOBS.md";

/// How somebody saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Save {
    /// In place, in two writes.
    Torn,
    /// A new file, renamed over the old one.
    Rename,
    /// The file is deleted, and made again.
    Again,
    /// Two people at once.
    Two,
    /// An older version is checked out, and the newest one again.
    Checkout,
}

const WAYS: [Save; 5] = [Save::Torn, Save::Rename, Save::Again, Save::Two, Save::Checkout];

fn rounds() -> usize {
    let nightly = std::env::var("ORCHESTRATOR_NIGHTLY").is_ok_and(|value| value == "1");
    if nightly { 1_000 } else { 50 }
}

/// People and what they have written.
struct Desk {
    world: World,
    ids: Vec<String>,
    dice: Dice,
    /// Who saved, and how, in order.
    log: Vec<(String, Save)>,
}

impl Desk {
    /// A text with one more task.
    fn more(&mut self, text: &str) -> String {
        let id = format!("e{}", self.ids.len());
        let with = text.replacen(ACTIVE, &format!("{ACTIVE}\n{}", section(&id, "")), 1);
        self.ids.push(id);
        with
    }

    /// Nothing tells a person that it is time.
    fn moment(&mut self, most: usize) {
        std::thread::sleep(Duration::from_millis(self.dice.roll(most) as u64));
    }

    fn save(&mut self, how: Save) {
        match how {
            Save::Torn => self.torn(),
            Save::Rename => {
                let id = self.next_id();
                append(&self.world, &id, "one");
            }
            Save::Again => self.again(),
            Save::Two => {
                let (one, other) = (self.next_id(), self.next_id());
                let world = &self.world;
                std::thread::scope(|scope| {
                    scope.spawn(|| append(world, &one, "one"));
                    scope.spawn(|| append(world, &other, "other"));
                });
                // One may have renamed over the other's, who had looked already: they are told, as people are.
                append(world, &one, "one");
                append(world, &other, "other");
            }
            Save::Checkout => self.checkout(),
        }
    }

    fn next_id(&mut self) -> String {
        let id = format!("e{}", self.ids.len());
        self.ids.push(id.clone());
        id
    }

    /// Whoever finds on looking again that what was saved is not there saves it again.
    fn torn(&mut self) {
        let buffer = self.world.queue();
        let text = self.more(&buffer);
        let id = self.ids.last().unwrap().clone();
        loop {
            let cut = self.dice.roll(text.len());
            let mut file = File::create(self.world.queue_path()).unwrap();
            file.write_all(&text.as_bytes()[..cut]).unwrap();
            self.moment(60);
            file.write_all(&text.as_bytes()[cut..]).unwrap();
            drop(file);
            self.moment(20);
            if self.world.queue().contains(&format!("### {id}:"))
                || self.world.archive().contains(&format!("### {id}:"))
            {
                return;
            }
        }
    }

    fn again(&mut self) {
        let text = self.world.queue();
        fs::remove_file(self.world.queue_path()).unwrap();
        let text = self.more(&text);
        self.moment(300);
        self.world.save(text);
    }

    /// What is there is committed first, as git wants it.
    fn checkout(&mut self) {
        let root = self.world.root();
        let git = |args: &[&str]| drop(self.world.git(&root, args));
        git(&["add", QUEUE]);
        git(&["commit", "--quiet", "--allow-empty", "--message=now"]);
        git(&["checkout", "--quiet", "--force", "HEAD~1", "--", QUEUE]);
        let away = self.dice.roll(300) as u64;
        std::thread::sleep(Duration::from_millis(away));
        git(&["checkout", "--quiet", "--force", "HEAD", "--", QUEUE]);
    }

    /// Waits for the end of a task; tells what became of it where it does not come.
    fn until_over(&self, id: &str) {
        let mut looks = 0;
        while !self.is_over(id) {
            looks += 1;
            let seen = || (self.world.run(&["show", id]), self.world.queue());
            assert!(looks < 2_000, "{id}\n{:?}\n{:?}", self.log, seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_over(&self, id: &str) -> bool {
        let mark = format!("### {id}: ");
        let queue = self.world.queue();
        let archived = queue
            .split_once("## Archived Tasks")
            .map_or("", |(_, archived)| archived);
        archived.contains(&mark) || self.world.archive().contains(&mark)
    }
}

/// As an editor does that looks whether the file changed under it right before it renames.
fn append(world: &World, id: &str, who: &str) {
    let fresh = world.root().join(format!("edited-by-{who}"));
    let mark = format!("### {id}:");
    let is_there = || world.queue().contains(&mark) || world.archive().contains(&mark);
    while !is_there() {
        let before = world.queue();
        let text = before.replacen(ACTIVE, &format!("{ACTIVE}\n{}", section(id, "")), 1);
        fs::write(&fresh, text).unwrap();
        if world.queue() == before {
            fs::rename(&fresh, world.queue_path()).unwrap();
        }
    }
}

#[test]
fn whatever_editors_do_each_task_is_done_once() {
    let world = World::configured("max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n", "");
    fs::write(
        world.root().join("worker.sh"),
        format!("home=$(dirname \"$0\")\n{LEDGER}\n"),
    )
    .unwrap();
    world.git(&world.root(), &["init", "--quiet"]);
    world.git(&world.root(), &["add", QUEUE]);
    world.git(&world.root(), &["commit", "--quiet", "--message=empty"]);
    world.git(
        &world.root(),
        &["commit", "--quiet", "--allow-empty", "--message=begin"],
    );
    let seed = u64::from(uuid::Uuid::new_v4().as_fields().0);
    println!("seed {seed}");
    let mut desk = Desk {
        world,
        ids: Vec::new(),
        dice: Dice(seed),
        log: Vec::new(),
    };
    let _up = desk.world.up();
    let mut saves = BTreeMap::<Save, u32>::new();
    for _ in 0..rounds() {
        let how = desk.dice.pick(&WAYS);
        desk.save(how);
        desk.log.push((desk.ids.last().cloned().unwrap_or_default(), how));
        *saves.entry(how).or_default() += 1;
        desk.moment(150);
    }
    desk.ids.iter().for_each(|id| desk.until_over(id));
    let ledger = fs::read_to_string(desk.world.path("ledger")).unwrap();
    assert!(!ledger.contains("overlap"), "{ledger}");
    let queue = desk.world.queue();
    let (active, _) = queue.split_once("## Archived Tasks").unwrap();
    for id in &desk.ids {
        let starts = ledger
            .lines()
            .filter(|line| *line == format!("start {id}"))
            .count();
        assert_eq!(
            starts,
            1,
            "{id} was done {starts} times\n{}",
            desk.world.done(&["show", id]).out
        );
        assert!(!active.contains(&format!("### {id}: ")), "{id}\n{queue}");
    }
    println!("{} tasks; {saves:?}", desk.ids.len());
}
