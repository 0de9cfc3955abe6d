//! The receipts of what a task asks for besides its checks: evidence to look at, evidence for its criteria, documentation.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::SubsecRound;

use super::super::exhibits::{self, Found, Room, Taken};
use super::super::house::Look;
use super::super::{criteria, exhibits::keeper};
use super::{Bench, GateError, Keep};
use crate::domain::exhibit::{Exhibit, ExhibitSpec, slug};
use crate::domain::gate::{Category, CheckSource, CheckSpec, CheckVerdict, Receipt};
use crate::workspace::GateCheckout;

/// Hands on what a command said, and remembers it.
struct Overheard<'a> {
    on: Option<&'a dyn Keep>,
    said: Mutex<String>,
}

impl Keep for Overheard<'_> {
    fn keep(&self, sha256: &str, output: &str) -> io::Result<()> {
        output.clone_into(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
        self.on.map_or(Ok(()), |keep| keep.keep(sha256, output))
    }
}

impl Bench<'_> {
    /// Makes the evidence in the checkout that the checks ran in, and takes it; `lay_there` is what was there before them.
    pub(super) async fn exhibits(
        &self,
        checkout: &GateCheckout,
        lay_there: &Found,
    ) -> Result<Vec<Receipt>, GateError> {
        let mut room = Room::default();
        let mut receipts = Vec::new();
        for spec in self.request.asked.exhibits {
            receipts.push(self.exhibit(checkout, spec, lay_there, &mut room).await?);
        }
        Ok(receipts)
    }

    async fn exhibit(
        &self,
        checkout: &GateCheckout,
        spec: &ExhibitSpec,
        lay_there: &Found,
        room: &mut Room,
    ) -> Result<Receipt, GateError> {
        let (mut receipt, said) = self.made(checkout, spec).await?;
        let now = exhibits::find(checkout.root(), std::slice::from_ref(spec)).await;
        let keep = keeper(&self.request.asked, self.commit);
        let mut taken = exhibits::take(checkout.root(), spec, (lay_there, &now), room, &keep);
        if spec.files.is_empty() {
            let path = format!("{}.txt", slug(&spec.name));
            match exhibits::put(&path, false, said.as_bytes(), &keep) {
                _ if said.trim().is_empty() => taken.faults.push("the command said nothing".to_owned()),
                Ok(file) => taken.files.push(file),
                Err(fault) => taken.faults.push(fault),
            }
        }
        tell(&mut receipt, taken);
        Ok(receipt)
    }

    /// The receipt of the command that makes it, with what that said; of a look where there is none.
    async fn made(
        &self,
        checkout: &GateCheckout,
        spec: &ExhibitSpec,
    ) -> Result<(Receipt, String), GateError> {
        let name = format!("{}{}", criteria::EVIDENCE, spec.name);
        let Some(run) = &spec.run else {
            let at = (self.now)().trunc_subsecs(6);
            let patterns: Vec<&str> = spec.files.iter().map(|pattern| pattern.as_str()).collect();
            let look = Look::new(
                "evidence",
                Category::Functionality,
                &patterns.join(", "),
                Ok(String::new()),
            );
            let directory = checkout.root().display().to_string();
            let receipt = look.receipt(self.commit, &directory, at, Duration::ZERO);
            return Ok((Receipt { name, ..receipt }, String::new()));
        };
        let overheard = Overheard {
            on: self.keep,
            said: Mutex::default(),
        };
        let check = CheckSpec {
            name,
            // What makes a picture or a figure runs no tests, and is not asked for any.
            category: Category::Build,
            run: run.clone(),
            timeout: spec.timeout,
            // It makes something to be looked at, and says nothing for what was asked.
            source: CheckSource::House,
        };
        let bench = Bench {
            keep: Some(&overheard),
            ..*self
        };
        let receipt = bench.at(checkout, std::slice::from_ref(&check)).await?;
        let said = overheard
            .said
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let category = Category::Functionality;
        // One check leaves one receipt.
        let receipt = receipt
            .into_iter()
            .next()
            .map(|receipt| Receipt { category, ..receipt });
        receipt
            .map(|receipt| (receipt, said))
            .ok_or_else(|| GateError::Unconfined(format!("{run}: no receipt")))
    }

    /// The looks at the documentation and at the acceptance criteria, after all receipts that they are held against.
    pub(super) async fn asked_for(&self, receipts: &[Receipt]) -> Vec<Receipt> {
        let (asked, workspace) = (&self.request.asked, self.request.workspace);
        let mut more = Vec::new();
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        if let Some(docs) = &asked.docs {
            let look = criteria::docs(docs, workspace, self.commit).await;
            more.push(self.seen(look, at, began.elapsed()));
        }
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        if let Some(wanted) = asked.criteria.as_ref().filter(|wanted| !wanted.list.is_empty()) {
            let look = criteria::look(wanted, workspace, self.commit, receipts).await;
            more.push(self.seen(look, at, began.elapsed()));
        }
        more
    }
}

/// Writes into a receipt what was kept, and what was not.
fn tell(receipt: &mut Receipt, taken: Taken) {
    let files = taken.files.iter().map(|file: &Exhibit| format!("- {file}\n"));
    let kept: String = files.collect();
    let missing: String = taken.faults.iter().map(|fault| format!("- {fault}\n")).collect();
    let said = receipt.output_tail.trim_end();
    let gap = if said.is_empty() { "" } else { "\n" };
    let mut words = format!("{said}{gap}");
    if !kept.is_empty() {
        words.push_str(&format!("kept:\n{kept}"));
    }
    if !missing.is_empty() {
        words.push_str(&format!("missing:\n{missing}"));
        if receipt.verdict == CheckVerdict::Passed {
            receipt.verdict = CheckVerdict::Failed;
            // What failed is the look at the files, and not the command.
            receipt.exit_code = None;
        }
    }
    receipt.output_tail = words;
    receipt.trace.files = taken.files;
}
