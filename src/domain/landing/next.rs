//! The decision: one look, one step.

use chrono::{DateTime, Utc};

use super::check::{Check, Judgement, judge};
use super::review::{Review, Stand, in_force};
use super::{Landing, Mergeability, Merges, Pull, PullState, Rules, Seen, Step};

/// What is to be done next.
pub fn next(landing: &Landing, seen: &Seen, rules: &Rules, now: DateTime<Utc>) -> Step {
    let look = Look {
        landing,
        seen,
        rules,
        now,
    };
    match &seen.pull {
        Some(pull) if pull.base != landing.base => look.ask(format!(
            "{} goes into {}, not into {}; correct its base or close it",
            name(pull),
            pull.base,
            landing.base
        )),
        Some(pull) => match &pull.state {
            PullState::Merged { commit } => look.merged(pull, commit.clone()),
            PullState::Closed => look.ask(format!(
                "{} was closed without being merged; reopen it, or cancel the task",
                name(pull)
            )),
            PullState::Open => look.sent().unwrap_or_else(|| look.open(pull)),
        },
        None => look.sent().unwrap_or(Step::Open),
    }
}

/// One look, with all that a step depends on.
struct Look<'a> {
    landing: &'a Landing,
    seen: &'a Seen,
    rules: &'a Rules,
    now: DateTime<Utc>,
}

impl Look<'_> {
    /// After the merge: what is left to tidy.
    fn merged(&self, pull: &Pull, merged: Option<String>) -> Step {
        if pull.head != self.landing.commit {
            return self.ask(format!(
                "{} was merged at {}, which is not the commit that passed the gate ({}); look at what went in",
                name(pull),
                short(&pull.head),
                short(&self.landing.commit)
            ));
        }
        if let (Some(issue), Some(true)) = (self.landing.issue, self.seen.issue_open)
            && self.rules.close_issue
        {
            return Step::CloseIssue { issue };
        }
        // A branch that somebody moved on holds work of theirs.
        if self.rules.delete_branch && self.seen.branch_head.as_ref() == Some(&self.landing.commit) {
            return Step::DeleteBranch {
                branch: self.landing.branch.clone(),
            };
        }
        Step::Done {
            pull: pull.number,
            merged,
        }
    }

    /// Sees to it that the branch holds the commit; none where it does.
    fn sent(&self) -> Option<Step> {
        let wanted = &self.landing.commit;
        match &self.seen.branch_head {
            Some(head) if head == wanted => None,
            Some(head) if !self.landing.ours.contains(head) => Some(self.ask(format!(
                "somebody else moved the branch {} to {}; take their work over or reset the branch, then retry",
                self.landing.branch,
                short(head)
            ))),
            head => Some(Step::Push {
                commit: wanted.clone(),
                expect: head.clone(),
            }),
        }
    }

    /// An open pull request whose branch holds the commit.
    fn open(&self, pull: &Pull) -> Step {
        if pull.head != self.landing.commit {
            let why = format!(
                "the forge to show {} in {}",
                short(&self.landing.commit),
                name(pull)
            );
            return self.wait_or_ask(why);
        }
        let checks = judge(&self.seen.checks, &self.rules.checks);
        self.objections()
            .or_else(|| self.unfinished(pull))
            .or_else(|| self.checks(&checks))
            .or_else(|| self.fits(pull))
            .or_else(|| self.unheard())
            .or_else(|| self.approvals())
            .or_else(|| self.held(pull))
            .unwrap_or_else(|| self.merge(pull))
    }

    /// Objections that no worker has heard yet.
    fn objections(&self) -> Option<Step> {
        let fresh = in_force(&self.seen.reviews)
            .into_iter()
            .find(|r| r.stand == Stand::Objects && !self.landing.handed.contains(&r.id))?;
        let why = format!("{} asks for changes", fresh.author);
        Some(self.rework(why, Vec::new()))
    }

    fn unfinished(&self, pull: &Pull) -> Option<Step> {
        let why = || format!("a person to mark {} as ready; it is a draft", name(pull));
        pull.draft.then(|| waiting(why(), None))
    }

    fn checks(&self, checks: &Judgement) -> Option<Step> {
        if checks.is_green() {
            return None;
        }
        let late = self.now >= self.deadline();
        if !checks.running.is_empty() && !late {
            let why = format!("checks at {}: {}", self.commit(), list(&checks.running));
            return Some(waiting(why, Some(self.deadline())));
        }
        if !checks.red.is_empty() {
            let why = format!("checks failed at {}: {}", self.commit(), list(&checks.red));
            return Some(self.rework(why, checks.red.clone()));
        }
        if !checks.void.is_empty() {
            return Some(self.ask(format!(
                "checks at {} ended without a verdict: {}; run them again, or name the checks that count",
                self.commit(),
                list(&checks.void)
            )));
        }
        Some(self.absent(checks, late))
    }

    fn absent(&self, checks: &Judgement, late: bool) -> Step {
        if !late {
            let why = format!("{} to appear at {}", checks.missing.join(", "), self.commit());
            return waiting(why, Some(self.deadline()));
        }
        let what = match &checks.missing[..] {
            [] => format!("checks did not end in time: {}", list(&checks.running)),
            missing => format!("checks never appeared: {}", missing.join(", ")),
        };
        self.ask(format!(
            "{what} (at {}); see to the forge's runners, or correct which checks count, then retry",
            self.commit()
        ))
    }

    fn fits(&self, pull: &Pull) -> Option<Step> {
        match pull.mergeability {
            Mergeability::Clean | Mergeability::Blocked => None,
            Mergeability::Unknown => {
                Some(self.wait_or_ask(format!("the forge to say whether {} can be merged", name(pull))))
            }
            Mergeability::Behind => Some(Step::Refresh {
                why: format!("{} has moved on since", self.landing.base),
            }),
            Mergeability::Conflict => Some(Step::Refresh {
                why: format!("it conflicts with {} as it is now", self.landing.base),
            }),
        }
    }

    /// Objections that were worked on, and that their authors have not taken back.
    fn unheard(&self) -> Option<Step> {
        let objectors: Vec<&str> = in_force(&self.seen.reviews)
            .into_iter()
            .filter(|r| r.stand == Stand::Objects)
            .map(|r| r.author.as_str())
            .collect();
        let why = || format!("{} to look again", objectors.join(", "));
        (!objectors.is_empty()).then(|| waiting(why(), None))
    }

    fn approvals(&self) -> Option<Step> {
        let of_this = |r: &&Review| {
            let commit = r.commit.as_ref();
            r.stand == Stand::Approves && commit.is_none_or(|c| *c == self.landing.commit)
        };
        let given = in_force(&self.seen.reviews).into_iter().filter(of_this).count();
        let wanted = self.rules.approvals as usize;
        let why = || format!("approval of {} by people ({given} of {wanted})", self.commit());
        (given < wanted).then(|| waiting(why(), None))
    }

    fn held(&self, pull: &Pull) -> Option<Step> {
        let why = || {
            format!(
                "the forge's own rules for {} (approvals, open remarks); see {}",
                self.landing.base,
                name(pull)
            )
        };
        (pull.mergeability == Mergeability::Blocked).then(|| waiting(why(), None))
    }

    fn merge(&self, pull: &Pull) -> Step {
        match self.rules.merges {
            Merges::Orchestrator => Step::Merge {
                pull: pull.number,
                commit: self.landing.commit.clone(),
            },
            Merges::Person => waiting(format!("a person to merge {}", name(pull)), None),
        }
    }

    /// Everything that was not handed on yet goes along, objections first.
    fn rework(&self, why: String, checks: Vec<Check>) -> Step {
        let new = |r: &&Review| {
            let says = !r.body.is_empty() || !r.notes.is_empty() || r.stand == Stand::Objects;
            r.trusted && r.stand != Stand::Dismissed && says && !self.landing.handed.contains(&r.id)
        };
        let mut reviews: Vec<Review> = self.seen.reviews.iter().filter(new).cloned().collect();
        reviews.sort_by_key(|r| r.stand != Stand::Objects);
        Step::Rework { why, checks, reviews }
    }

    fn wait_or_ask(&self, why: String) -> Step {
        if self.now < self.deadline() {
            waiting(why, Some(self.deadline()))
        } else {
            self.ask(format!("waited in vain for {why}; look at it, then retry"))
        }
    }

    fn ask(&self, reason: String) -> Step {
        Step::Ask { reason }
    }

    fn commit(&self) -> &str {
        short(&self.landing.commit)
    }

    fn deadline(&self) -> DateTime<Utc> {
        let patience = chrono::Duration::from_std(self.rules.patience).unwrap_or(chrono::Duration::MAX);
        self.landing
            .since
            .checked_add_signed(patience)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

fn waiting(why: String, until: Option<DateTime<Utc>>) -> Step {
    Step::Wait { why, until }
}

fn name(pull: &Pull) -> String {
    format!("pull request {} ({})", pull.number, pull.url)
}

/// The beginning of a commit's name; the whole where it is no such name.
fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

fn list(checks: &[Check]) -> String {
    let one = |c: &Check| format!("{} ({})", c.name, c.word);
    checks.iter().map(one).collect::<Vec<_>>().join(", ")
}
