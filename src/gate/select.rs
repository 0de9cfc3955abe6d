//! Which checks run.

use crate::domain::gate::CheckSpec;

/// The task's checks, then its job's, then the configuration's; where there is none of these, the detected ones.
///
/// A script that is named twice for the same category runs once.
pub fn select(
    task: &[CheckSpec],
    job: &[CheckSpec],
    config: &[CheckSpec],
    detected: Vec<CheckSpec>,
) -> Vec<CheckSpec> {
    let configured: Vec<CheckSpec> = [task, job, config].concat();
    let all = if configured.is_empty() {
        detected
    } else {
        configured
    };
    let mut chosen: Vec<CheckSpec> = Vec::with_capacity(all.len());
    for check in all {
        let same = |c: &CheckSpec| c.category == check.category && c.run.trim() == check.run.trim();
        if !chosen.iter().any(same) {
            chosen.push(check);
        }
    }
    chosen
}

/// What is detected at the base and at the commit: the base's word holds, the commit may only add.
pub(super) fn at_least(base: Vec<CheckSpec>, commit: Vec<CheckSpec>) -> Vec<CheckSpec> {
    let new = |c: &CheckSpec| base.iter().all(|b| b.name != c.name);
    let added: Vec<CheckSpec> = commit.into_iter().filter(new).collect();
    [base, added].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::{Category, CheckSource};

    fn check(name: &str, source: CheckSource) -> CheckSpec {
        CheckSpec {
            name: name.to_owned(),
            category: Category::Functionality,
            run: format!("run {name}"),
            timeout: None,
            source,
        }
    }

    fn names(checks: &[CheckSpec]) -> Vec<&str> {
        checks.iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn detected_checks_serve_only_where_nothing_is_configured() {
        let (task, job) = (check("t", CheckSource::Task), check("j", CheckSource::Job));
        let (config, found) = (check("c", CheckSource::Config), check("d", CheckSource::Detected));
        let all = |t: &[CheckSpec], j: &[CheckSpec], c: &[CheckSpec]| select(t, j, c, vec![found.clone()]);
        assert_eq!(names(&all(&[], &[], &[])), ["d"]);
        assert_eq!(names(&all(&[], &[], std::slice::from_ref(&config))), ["c"]);
        assert_eq!(names(&all(&[], std::slice::from_ref(&job), &[])), ["j"]);
        assert_eq!(
            names(&all(std::slice::from_ref(&task), &[job], &[config])),
            ["t", "j", "c"]
        );
        let mut again = task.clone();
        again.source = CheckSource::Config;
        assert_eq!(all(&[task], &[], &[again])[0].source, CheckSource::Task);
        assert!(select(&[], &[], &[], Vec::new()).is_empty());
    }

    #[test]
    fn a_commit_cannot_take_a_detected_check_away() {
        let base = vec![check("tests", CheckSource::Detected)];
        let mut weak = check("tests", CheckSource::Detected);
        weak.run = "true".to_owned();
        let both = at_least(base.clone(), vec![weak, check("build", CheckSource::Detected)]);
        assert_eq!(names(&both), ["tests", "build"]);
        assert_eq!(both[0].run, base[0].run);
        assert_eq!(at_least(base.clone(), Vec::new()), base);
    }
}
