//! The figures of docs/PERFORMANCE.md: one plain harness, one table, the machine that it ran on.
//!
//! `cargo bench` runs every section, `cargo bench -- parse spawn` those whose names contain one of the words.
//! A figure is the median and the 95th percentile of `n` samples; a goal is held against the worse of the two.
//! Deliberately absent: a statistics package, comparison with earlier runs (that is the document's work).

// A benchmark sets the scene and reads the real clock; the program itself is checked when it is built without it.
#![allow(clippy::disallowed_methods)]

mod bare;
mod chatter;
mod crowd;
mod decide;
mod figure;
mod floor;
mod gate;
mod idle;
mod job;
mod lanes;
mod lifecycle;
mod machine;
mod pass;
mod peers;
mod queue;
mod queues;
mod reach;
mod reports;
mod scale;
mod scene;
mod server;
mod service;
mod spawn;
mod status;
mod store;
mod way;
mod workers;

use figure::Figure;

/// A part of the table, which can be run alone.
struct Section {
    name: &'static str,
    run: fn(&crowd::Crowds) -> anyhow::Result<Vec<Figure>>,
}

const SECTIONS: [Section; 17] = [
    Section {
        name: "parse",
        run: |_| queue::figures(),
    },
    Section {
        name: "decide",
        run: |_| decide::figures(),
    },
    Section {
        name: "store",
        run: |_| store::figures(),
    },
    Section {
        name: "store-bare",
        run: |_| bare::figures(),
    },
    Section {
        name: "queues",
        run: |_| queues::figures(),
    },
    Section {
        name: "fleet-latency",
        run: |_| reach::figures(),
    },
    Section {
        name: "scale",
        run: |_| scale::figures(),
    },
    Section {
        name: "spawn",
        run: |_| spawn::figures(),
    },
    Section {
        name: "reports",
        run: |_| reports::figures(),
    },
    Section {
        name: "lifecycle",
        run: |_| lifecycle::figures(),
    },
    Section {
        name: "gate",
        run: |_| gate::figures(),
    },
    Section {
        name: "pass",
        run: pass::figures,
    },
    Section {
        name: "status",
        run: status::figures,
    },
    Section {
        name: "idle",
        run: idle::figures,
    },
    Section {
        name: "workers",
        run: |_| workers::watching(),
    },
    Section {
        name: "flood",
        run: |_| workers::flood(),
    },
    Section {
        name: "cancel",
        run: |_| workers::cancel(),
    },
];

fn main() -> anyhow::Result<()> {
    if chatter::play() {
        return Ok(());
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |s: &&Section| words.is_empty() || words.iter().any(|w| s.name.contains(w.as_str()));
    println!("{}\n", machine::statement());
    println!("{}", figure::HEAD);
    let crowds = crowd::Crowds::default();
    for section in SECTIONS.iter().filter(wanted) {
        for figure in (section.run)(&crowds)? {
            println!("{}", figure.row(section.name));
        }
    }
    Ok(())
}
