//! Which of the agent's models is the one that the tier names: pure.
//!
//! Agents call models by names of their own: `sonnet`, `anthropic/claude-sonnet-4-5`. The tier's name is looked for
//! as it is, behind a provider's name, and as a family of which the agent offers one. What is not found is refused
//! rather than left to the agent, whose own choice may cost ten times as much.

use agent_client_protocol::v1::schema::{
    SessionConfigId, SessionConfigKind, SessionConfigOption, SessionConfigOptionCategory,
    SessionConfigSelectOptions,
};
use serde::Deserialize;

/// What the agent lets a client choose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// How the choice is told.
    pub way: Way,
    /// The model that is chosen now.
    pub current: String,
    /// The agent's names.
    pub models: Vec<String>,
}

/// How a model is chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// By this configuration option of the session.
    Option(SessionConfigId),
    /// By the method `session/set_model`, which older agents have.
    Method,
}

/// The model state of agents that have no configuration options.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Models {
    current_model_id: String,
    available_models: Vec<Choice>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Choice {
    model_id: String,
}

impl Offer {
    /// What a session offers; `None` where the agent does not let a client choose.
    pub fn of(options: &[SessionConfigOption], models: Option<&Models>) -> Option<Self> {
        let by_option = options.iter().find_map(|option| {
            let is_model = option.category == Some(SessionConfigOptionCategory::Model);
            let SessionConfigKind::Select(select) = &option.kind else {
                return None;
            };
            is_model.then(|| Self {
                way: Way::Option(option.id.clone()),
                current: select.current_value.to_string(),
                models: values(&select.options),
            })
        });
        by_option.or_else(|| {
            let models = models.filter(|models| !models.available_models.is_empty())?;
            let ids = models.available_models.iter().map(|model| model.model_id.clone());
            Some(Self {
                way: Way::Method,
                current: models.current_model_id.clone(),
                models: ids.collect(),
            })
        })
    }

    /// The agent's name for the model.
    pub fn find(&self, wanted: &str) -> Option<&str> {
        let same = |model: &&String| model.eq_ignore_ascii_case(wanted);
        let behind_provider = |model: &&String| {
            let name = model.rsplit_once('/').map(|(_, name)| name);
            name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        let family = |model: &&String| wanted.split('-').any(|word| word.eq_ignore_ascii_case(model));
        let all = || self.models.iter();
        all()
            .find(same)
            .map(String::as_str)
            .or_else(|| only(all().filter(behind_provider)))
            .or_else(|| only(all().filter(family)))
    }
}

/// The one that was found; two of them would be a guess.
fn only<'a>(mut found: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let one = found.next()?;
    found.next().is_none().then_some(one.as_str())
}

fn values(options: &SessionConfigSelectOptions) -> Vec<String> {
    match options {
        SessionConfigSelectOptions::Ungrouped(options) => {
            options.iter().map(|option| option.value.to_string()).collect()
        }
        SessionConfigSelectOptions::Grouped(groups) => {
            let all = groups.iter().flat_map(|group| &group.options);
            all.map(|option| option.value.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer(models: &[&str]) -> Offer {
        Offer {
            way: Way::Method,
            current: String::new(),
            models: models.iter().map(|model| (*model).to_owned()).collect(),
        }
    }

    #[test]
    fn names_find_their_model_or_none() {
        let claude = offer(&["default", "opus[1m]", "sonnet", "sonnet[1m]", "haiku"]);
        let many = offer(&[
            "anthropic/claude-haiku-4-5",
            "openai/gpt-5.6",
            "other/gpt-5.6",
            "stub/stub-1",
        ]);
        let rows = [
            (&claude, "haiku", Some("haiku")),
            (&claude, "Sonnet[1m]", Some("sonnet[1m]")),
            (&claude, "claude-haiku-4-5", Some("haiku")),
            (&claude, "claude-sonnet-5-5", Some("sonnet")),
            (&claude, "gpt-5", None),
            (&many, "claude-haiku-4-5", Some("anthropic/claude-haiku-4-5")),
            (&many, "stub/stub-1", Some("stub/stub-1")),
            (&many, "gpt-5.6", None),
            (&many, "haiku", None),
        ];
        for (offer, wanted, found) in rows {
            assert_eq!(offer.find(wanted), found, "{wanted}");
        }
    }

    #[test]
    fn both_ways_to_offer_are_read() {
        let options: Vec<SessionConfigOption> = serde_json::from_value(json!([
            {"id":"mode","name":"Mode","category":"mode","type":"select","currentValue":"x","options":[]},
            {"id":"llm","name":"Model","category":"model","type":"select","currentValue":"a",
             "options":[{"group":"g","name":"G","options":[{"value":"a","name":"A"},{"value":"b","name":"B"}]}]}
        ]))
        .unwrap();
        let found = Offer::of(&options, None).unwrap();
        assert_eq!(
            (found.current.as_str(), found.models),
            ("a", vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(found.way, Way::Option("llm".to_owned().into()));
        let models: Models = serde_json::from_value(
            json!({"currentModelId":"g","availableModels":[{"modelId":"g","name":"G"}]}),
        )
        .unwrap();
        assert_eq!(Offer::of(&[], Some(&models)).unwrap().way, Way::Method);
        assert_eq!(Offer::of(&[], Some(&Models::default())), None);
    }
}
