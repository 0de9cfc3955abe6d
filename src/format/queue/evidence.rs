//! `Evidence:` of a task: names of its job's evidence, or patterns of files, as what the gate is to keep.

use crate::domain::definition::Definition;
use crate::domain::exhibit::{ExhibitSpec, FilePattern};
use crate::domain::gate::CheckSource;
use crate::format::text::{name, normal_key};

/// The entries of a field, by comma or one a line.
pub(super) fn entries(value: &str) -> Vec<String> {
    let parts = value.split([',', '\n']);
    let parts = parts.map(|part| part.trim().trim_start_matches("- ").trim().trim_matches('`'));
    // A pattern's stars are no emphasis.
    let plain = |part: &str| {
        (part.contains(['*', '/']))
            .then(|| part.to_owned())
            .or_else(|| name(part))
    };
    parts.filter(|part| !part.is_empty()).filter_map(plain).collect()
}

/// Fills in what the gate is to keep: what the task picks, else all that its job offers.
pub(super) fn resolve(definition: &mut Definition, offered: &[ExhibitSpec]) {
    let Some(wanted) = &definition.evidence else {
        definition.exhibits = offered.to_vec();
        return;
    };
    let meant = |entry: &String| {
        let own = offered.iter().find(|spec| is_named(spec, entry));
        own.cloned().or_else(|| pattern(entry))
    };
    definition.exhibits = wanted.iter().filter_map(meant).collect();
}

/// The entries that are neither offered by the job nor a pattern of files.
pub(super) fn unknown(definition: &Definition) -> Vec<String> {
    let wanted = definition.evidence.iter().flatten();
    let is_meant = |entry: &&String| definition.exhibits.iter().any(|spec| is_named(spec, entry));
    wanted.filter(|entry| !is_meant(entry)).cloned().collect()
}

fn is_named(spec: &ExhibitSpec, entry: &str) -> bool {
    spec.name == entry || normal_key(&spec.name) == normal_key(entry)
}

/// A word alone is a name; a path has a dot, a slash or a star.
fn pattern(entry: &str) -> Option<ExhibitSpec> {
    let pattern = FilePattern::parse(entry).ok()?;
    entry.contains(['/', '.', '*']).then(|| ExhibitSpec {
        name: entry.to_owned(),
        run: None,
        files: vec![pattern],
        timeout: None,
        source: CheckSource::Task,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<ExhibitSpec> {
        let spec = |name: &str, run: Option<&str>| ExhibitSpec {
            name: name.to_owned(),
            run: run.map(str::to_owned),
            files: Vec::new(),
            timeout: None,
            source: CheckSource::Job,
        };
        vec![spec("Home Page", Some("shoot")), spec("coverage", Some("cover"))]
    }

    fn resolved(value: Option<&str>) -> (Vec<String>, Vec<String>) {
        let mut definition = Definition {
            evidence: value.map(entries),
            ..Definition::default()
        };
        resolve(&mut definition, &offered());
        let names = definition.exhibits.iter().map(|spec| spec.name.clone()).collect();
        (names, unknown(&definition))
    }

    /// A definition that asks for none of this is written down as before, so its hash stays.
    #[test]
    fn what_is_asked_for_is_a_part_of_the_definition_and_nothing_else_is() {
        use crate::domain::definition::Criterion;
        use crate::format::queue::fingerprint;
        let json = serde_json::to_string(&Definition::default()).unwrap();
        for key in ["evidence", "exhibits", "docs_required", "plan_gate"] {
            assert!(!json.contains(key), "{key}: {json}");
        }
        let with = |text: &str, checked| Definition {
            acceptance: vec![Criterion {
                text: text.to_owned(),
                checked,
            }],
            ..Definition::default()
        };
        assert_eq!(fingerprint(&with("a", true)), fingerprint(&with("a", false)));
        assert_ne!(fingerprint(&with("a", true)), fingerprint(&with("b", true)));
        let shown = Definition {
            exhibits: offered(),
            ..with("a", true)
        };
        assert_ne!(fingerprint(&with("a", true)), fingerprint(&shown));
    }

    #[test]
    fn a_task_picks_by_name_or_by_pattern() {
        let row = |value, names: &[&str], bad: &[&str]| {
            let all = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            assert_eq!(resolved(value), (all(names), all(bad)), "{value:?}");
        };
        row(None, &["Home Page", "coverage"], &[]);
        row(Some("none"), &[], &[]);
        row(Some("home-page"), &["Home Page"], &[]);
        row(Some("`coverage`, shots/*.png"), &["coverage", "shots/*.png"], &[]);
        row(
            Some("- bench.txt\n- out/**/*.svg"),
            &["bench.txt", "out/**/*.svg"],
            &[],
        );
        row(Some("coverge"), &[], &["coverge"]);
        row(Some("../secrets.txt"), &[], &["../secrets.txt"]);
    }
}
