//! A node whose disk is full: nothing is corrupted, work goes on elsewhere, and the node is of use again when there is room.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::fleet::Fleet;
use super::ledger::What;
use super::story::{LEASE, conclude};

/// A small file system of its own over a folder; it goes with its owner.
struct Small {
    folder: PathBuf,
}

impl Small {
    /// None where this process may not mount.
    fn over(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let ran = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "none"])
            .arg(&folder)
            .output()
            .unwrap();
        if !ran.status.success() {
            println!(
                "skipped: this process may not mount: {}",
                String::from_utf8_lossy(&ran.stderr).trim()
            );
            return None;
        }
        Some(Self { folder })
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Writes until there is no room for another byte.
    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.filler()).unwrap();
        for size in [64 * 1024, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).output();
    }
}

#[test]
fn a_full_disk_of_one_node_costs_time_alone() {
    let Some(mut fleet) = Fleet::new(LEASE) else {
        return;
    };
    let state = fleet.nodes[1].world.state_dir();
    let Some(small) = Small::over(state) else { return };
    fleet.start_all();
    (0..8).for_each(|_| drop(fleet.add("plain", 10)));
    let at_it = |fleet: &Fleet, from: usize| {
        let ledger = fleet.ledger();
        let begun = ledger
            .iter()
            .skip(from)
            .any(|line| line.node == "b" && line.what == What::Begins);
        begun.then_some(())
    };
    fleet.until("the node is at work", |fleet| at_it(fleet, 0));
    small.fill();
    let more: Vec<String> = (0..8).map(|_| fleet.add("plain", 5)).collect();
    let on_others = fleet.until("work goes on elsewhere", |fleet| {
        let ledger = fleet.ledger();
        let ended = ledger
            .iter()
            .filter(|line| line.what == What::Ends && line.node != "b");
        let count = ended.filter(|line| more.contains(&line.task)).count();
        (count >= 3).then_some(count)
    });
    small.free();
    let so_far = fleet.ledger().len();
    (0..6).for_each(|_| drop(fleet.add("plain", 10)));
    fleet.until("the node is at work again", |fleet| at_it(fleet, so_far));
    println!("disk: full at one node of three with 16 tasks; {on_others} went on elsewhere meanwhile");
    fleet.may_repeat = true;
    conclude(&mut fleet);
    // Before its file system goes, so that nothing is left that uses it.
    drop(fleet);
}
