//! `evidence:` of a job: what its tasks are to show people.

use serde::Deserialize;

use crate::domain::exhibit::{ExhibitSpec, FilePattern};
use crate::domain::gate::CheckSource;
use crate::format::duration;

/// An entry in full, or a pattern of files alone.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Evidence {
    Files(String),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Full {
    name: String,
    run: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    timeout: Option<String>,
}

/// What the entries ask for, and what is wrong with them.
pub(super) fn specs(entries: Vec<Evidence>) -> (Vec<ExhibitSpec>, Vec<String>) {
    let (mut specs, mut faults): (Vec<ExhibitSpec>, Vec<String>) = (Vec::new(), Vec::new());
    for entry in entries {
        match spec(entry) {
            Ok(spec) if specs.iter().any(|other| other.name == spec.name) => {
                faults.push(format!("the evidence '{}' is listed twice", spec.name));
            }
            Ok(spec) => specs.push(spec),
            Err(fault) => faults.push(fault),
        }
    }
    (specs, faults)
}

fn spec(entry: Evidence) -> Result<ExhibitSpec, String> {
    let full = match entry {
        Evidence::Full(full) => full,
        Evidence::Files(pattern) => Full {
            name: pattern.clone(),
            run: None,
            files: vec![pattern],
            timeout: None,
        },
    };
    let name = full.name.trim().to_owned();
    let run = full.run.filter(|run| !run.trim().is_empty());
    if name.is_empty() || name.contains(',') || name.chars().any(char::is_control) || name.len() > 100 {
        return Err("evidence needs a name of one line, without commas".to_owned());
    }
    if run.is_none() && full.files.is_empty() {
        return Err(format!("the evidence '{name}' names neither a command nor files"));
    }
    let files = full.files.iter().map(|text| FilePattern::parse(text));
    let files = files
        .collect::<Result<Vec<_>, _>>()
        .map_err(|bad| bad.to_string())?;
    let timeout = full.timeout.map(|text| duration::parse(&text));
    let timeout = timeout.transpose().map_err(|bad| bad.to_string())?;
    if timeout.is_some_and(|time| time.is_zero()) {
        return Err(format!("the evidence '{name}' is given no time"));
    }
    Ok(ExhibitSpec {
        name,
        run,
        files,
        timeout,
        source: CheckSource::Job,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::format::diagnostic::Code;

    #[test]
    fn evidence_is_a_command_or_files_or_both() {
        let text = "---\nevidence:\n  - name: home page\n    run: shoot\n    files: [\"shots/*.png\"]\n    timeout: 2m\n  - coverage/summary.txt\n  - { name: bench, run: make bench }\ndocs: required\nplan_gate: true\n---\n";
        let (job, problems) = parse("fix", "jobs/fix.md", text.as_bytes());
        assert_eq!(problems, []);
        let job = job.unwrap();
        assert_eq!((job.docs_required, job.plan_gate), (Some(true), Some(true)));
        let told: Vec<(&str, Option<&str>, usize, bool)> = job
            .exhibits
            .iter()
            .map(|e| {
                (
                    e.name.as_str(),
                    e.run.as_deref(),
                    e.files.len(),
                    e.timeout.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("home page", Some("shoot"), 1, true),
                ("coverage/summary.txt", None, 1, false),
                ("bench", Some("make bench"), 0, false),
            ]
        );
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        for (entry, told) in [
            ("{ name: a }", "neither a command nor files"),
            ("{ name: a, files: [/etc/passwd] }", "no pattern of files"),
            ("../x", "no pattern of files"),
            ("{ name: \"a, b\", run: x }", "without commas"),
            ("{ name: a, run: x, timeout: 0s }", "no time"),
            ("{ name: a, run: x, timeout: soon }", "soon"),
            ("{ name: a, run: x }\n  - { name: a, run: z }", "twice"),
        ] {
            let text = format!("---\nevidence:\n  - {entry}\n---\n");
            let (job, problems) = parse("fix", "jobs/fix.md", text.as_bytes());
            assert!(job.is_none(), "{entry}");
            assert_eq!(
                (problems[0].code, problems[0].line),
                (Code::UnknownEvidence, 2),
                "{entry}"
            );
            assert!(problems[0].message.contains(told), "{}", problems[0].message);
        }
        let (job, problems) = parse("fix", "jobs/fix.md", b"---\ndocs: maybe\n---\n");
        assert!(job.is_none() && problems[0].code == Code::BadFrontMatter);
    }
}
