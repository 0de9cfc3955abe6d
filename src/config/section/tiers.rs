//! `[[tiers]]`: the ladder of model classes, cheapest first.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{Runtime, longer_than_zero};
use crate::config::fault::{Origin, suggestion};
use crate::config::reader::Section;
use crate::config::setting::Usd;
use crate::domain::tier::TierName;

/// One rung.
#[derive(Debug, Clone)]
pub struct Tier {
    /// Its name.
    pub name: TierName,
    /// The model that its workers are asked to use.
    pub model: String,
    /// The models of runtimes to whose vendor `model` means nothing, by the runtime's name.
    pub models: BTreeMap<String, String>,
    /// Runtimes by name; the first that is available is taken.
    pub runtimes: Vec<String>,
    /// Slots of this tier; `None` leaves only the total.
    pub max_concurrent: Option<NonZeroU32>,
    /// The most time an attempt may take.
    pub timeout: Duration,
    /// The most an attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
}

/// The ladder without configuration: name, model.
const LADDER: [(&str, &str); 3] = [
    ("haiku", "claude-haiku-4-5"),
    ("sonnet", "claude-sonnet-4-5"),
    ("opus", "claude-opus-4-5"),
];

/// The command line tool where it is installed, else the API.
fn runtimes() -> Vec<String> {
    vec!["claude".to_owned(), "api".to_owned()]
}

/// Enough for a change with its tests.
fn timeout() -> Duration {
    Duration::from_mins(30)
}

impl Tier {
    /// Reads the ladder; `known` are the configured runtimes.
    pub(in crate::config) fn read_all(
        root: &mut Section<'_, '_>,
        known: &BTreeMap<String, Runtime>,
    ) -> Vec<Self> {
        let read = |section: &mut Section<'_, '_>| Self::read(section, None, known);
        let given = root.tables("tiers", read);
        let ladder = given.unwrap_or_else(|| default_ladder(root, known));
        refuse_empty_and_double(root, &ladder);
        ladder.into_iter().filter_map(|(tier, _)| tier).collect()
    }

    /// One rung, `None` without a name or a model; and where it is written.
    fn read(
        section: &mut Section<'_, '_>,
        default: Option<(&'static str, &'static str)>,
        known: &BTreeMap<String, Runtime>,
    ) -> (Option<Self>, Origin) {
        let (name, model) = match default {
            Some((name, model)) => (Some(name.to_owned()), Some(or_default_model(section, model))),
            None => (
                section.required("name", "name the tier, for example name = \"haiku\""),
                section.required(
                    "model",
                    "name the model, for example model = \"claude-haiku-4-5\"",
                ),
            ),
        };
        let rest = Rest::read(section, known);
        let tier = name
            .zip(model)
            .map(|(name, model)| rest.with(TierName::new(&name), model));
        (tier, section.origin())
    }
}

fn or_default_model(section: &mut Section<'_, '_>, model: &'static str) -> String {
    section.optional("model").unwrap_or_else(|| {
        section.show_default("model", model);
        model.to_owned()
    })
}

/// What a rung has besides its name and model.
struct Rest {
    models: BTreeMap<String, String>,
    runtimes: Vec<String>,
    max_concurrent: Option<NonZeroU32>,
    timeout: Duration,
    budget_usd: Option<f64>,
}

impl Rest {
    fn read(section: &mut Section<'_, '_>, known: &BTreeMap<String, Runtime>) -> Self {
        let rest = Self {
            models: section.get("models", BTreeMap::new),
            runtimes: section.get("runtimes", runtimes),
            max_concurrent: section.maybe("max_concurrent"),
            timeout: section.get_if("timeout", timeout, longer_than_zero),
            budget_usd: section.maybe::<Usd>("budget").map(|amount| amount.0),
        };
        if rest.runtimes.is_empty() {
            let at = section.origin_of("runtimes");
            section.fault(at, "a tier needs at least one runtime", None);
        }
        check_runtimes(section, &rest.runtimes, known);
        check_models(section, &rest.models, known);
        rest
    }

    fn with(self, name: TierName, model: String) -> Tier {
        Tier {
            name,
            model,
            models: self.models,
            runtimes: self.runtimes,
            max_concurrent: self.max_concurrent,
            timeout: self.timeout,
            budget_usd: self.budget_usd,
        }
    }
}

/// A name without a runtime is a fault.
pub(super) fn check_runtimes(
    section: &mut Section<'_, '_>,
    named: &[String],
    known: &BTreeMap<String, Runtime>,
) {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    for (place, name) in named
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.contains_key(*name))
    {
        let at = section.origin_of_item("runtimes", place);
        let help = suggestion(name, &names);
        section.fault(at, format!("there is no runtime '{}'", name.escape_debug()), help);
    }
}

fn check_models(
    section: &mut Section<'_, '_>,
    models: &BTreeMap<String, String>,
    known: &BTreeMap<String, Runtime>,
) {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    for name in models.keys().filter(|name| !known.contains_key(*name)) {
        let at = section.origin_of("models");
        let help = suggestion(name, &names);
        section.fault(at, format!("there is no runtime '{}'", name.escape_debug()), help);
    }
}

fn default_ladder(
    root: &mut Section<'_, '_>,
    known: &BTreeMap<String, Runtime>,
) -> Vec<(Option<Tier>, Origin)> {
    LADDER
        .into_iter()
        .map(|(name, model)| {
            root.absent("tiers", name, |section| {
                Tier::read(section, Some((name, model)), known)
            })
        })
        .collect()
}

fn refuse_empty_and_double(root: &mut Section<'_, '_>, ladder: &[(Option<Tier>, Origin)]) {
    if ladder.is_empty() {
        let at = root.origin_of("tiers");
        let help = "write at least one [[tiers]], or none at all for the usual ladder".to_owned();
        root.fault(at, "the ladder has no tier", Some(help));
    }
    for (place, (tier, origin)) in ladder.iter().enumerate() {
        let name = tier.as_ref().map(|tier| &tier.name);
        let same = |(other, _): &(Option<Tier>, Origin)| other.as_ref().map(|tier| &tier.name) == name;
        if let Some(name) = name.filter(|_| ladder[..place].iter().any(same)) {
            root.fault(origin.clone(), format!("two tiers are called '{name}'"), None);
        }
    }
}
