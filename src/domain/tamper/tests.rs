//! Tables of changes: each way to weaken a test is found, and honest work is left alone.

mod honest;
mod properties;
mod tampering;

use properties::PATHS;

use super::*;

/// A file and its two versions; none where it is not there.
pub(super) type Row = (&'static str, Option<&'static str>, Option<&'static str>);

fn side(text: Option<&str>) -> Side<'_> {
    text.map_or(Side::Absent, Side::Text)
}

pub(super) fn of(rows: &[Row]) -> Vec<Finding> {
    let changes: Vec<Change<'_>> = rows
        .iter()
        .map(|(path, was, is)| Change {
            path,
            was: side(*was),
            is: side(*is),
        })
        .collect();
    let commands = [
        "./check.sh",
        "make test",
        "node t.js",
        "npm run test",
        "test -f done.txt && python3 app.py | grep 2",
        "sh -n calc.sh\n. ./calc.sh && [ \"$(sh count.sh a)\" = 2 ]\nbash ci/all.sh fast",
    ]
    .map(str::to_owned);
    let base = Base {
        commands: &commands,
        established: true,
    };
    findings(&changes, &base)
}

/// Far beyond what one would write. Seen to take many minutes with 200 kB while an attribute that is never closed was
/// read to the end of the file, each time.
#[test]
fn deep_and_long_texts_take_no_time() {
    let began = std::time::Instant::now();
    for unit in [
        "[",
        "((",
        "#[",
        "# noqa\n",
        "if ",
        "assert_eq!(1,[",
        "test(",
        "a:\n ",
    ] {
        let was = unit.repeat(24_000 / unit.len());
        let is = format!("{was} x");
        for path in PATHS {
            let change = Change {
                path,
                was: Side::Text(&was),
                is: Side::Text(&is),
            };
            findings(
                &[change],
                &Base {
                    commands: &[],
                    established: true,
                },
            );
        }
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
