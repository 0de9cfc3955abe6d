//! Who reviews: as far from whoever did the work as the instance allows.
//!
//! Deliberately absent: which runtimes can be used right now (that is the fleet's).

use serde::{Deserialize, Serialize};

use super::super::tier::TierName;

/// How far a reviewer is from whoever did the work; the first is the farthest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Independence {
    /// Its model is of another vendor.
    OtherVendor,
    /// Another model of the same vendor.
    OtherModel,
    /// The same model, in a session that knows nothing of the work.
    OtherSession,
}

impl Independence {
    /// In words, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OtherVendor => "another vendor than the worker's",
            Self::OtherModel => "another model of the worker's vendor: no other vendor could be had",
            Self::OtherSession => "the worker's own model in a fresh session: no other model could be had",
        }
    }
}

/// Who did some of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// Whose model it is (see [`vendor`]).
    pub vendor: String,
    /// The model.
    pub model: String,
}

/// Who could review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The runtime's name.
    pub runtime: String,
    /// The tier that names the model.
    pub tier: TierName,
    /// The model.
    pub model: String,
    /// Whose model it is (see [`vendor`]).
    pub vendor: String,
}

/// Words in the names of models, and whose they are.
const MODELS: [(&str, &str); 24] = [
    ("claude", "anthropic"),
    ("haiku", "anthropic"),
    ("sonnet", "anthropic"),
    ("opus", "anthropic"),
    ("gpt", "openai"),
    ("codex", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("gemini", "google"),
    ("gemma", "google"),
    ("grok", "xai"),
    ("qwen", "alibaba"),
    ("deepseek", "deepseek"),
    ("glm", "zhipu"),
    ("kimi", "moonshot"),
    ("minimax", "minimax"),
    ("mistral", "mistral"),
    ("codestral", "mistral"),
    ("devstral", "mistral"),
    ("llama", "meta"),
    ("nova", "amazon"),
    ("command-r", "cohere"),
    ("granite", "ibm"),
];

/// Whose a model is: by its name, else by the kind of its runtime; else the runtime stands for itself.
pub fn vendor(kind: &str, runtime: &str, model: &str) -> String {
    let model = model.to_lowercase();
    let begins = |word: &str| {
        let at_start = |at: usize| at == 0 || !model.as_bytes()[at - 1].is_ascii_alphanumeric();
        model.match_indices(word).any(|(at, _)| at_start(at))
    };
    // A command is given a tier's model, and need not use it.
    let by_name = MODELS.iter().find(|(word, _)| kind != "command" && begins(word));
    match (by_name, kind) {
        (Some((_, vendor)), _) => (*vendor).to_owned(),
        (None, "claude-code") => "anthropic".to_owned(),
        (None, "codex") => "openai".to_owned(),
        (None, _) => format!("runtime {runtime}"),
    }
}

/// The candidates with their distance, the farthest first; of equally far ones, the order in which they came.
pub fn in_order(makers: &[Maker], candidates: Vec<Candidate>) -> Vec<(Candidate, Independence)> {
    let far = |candidate: &Candidate| {
        if !makers.iter().any(|m| m.vendor == candidate.vendor) {
            Independence::OtherVendor
        } else if makers
            .iter()
            .any(|m| m.vendor == candidate.vendor && m.model == candidate.model)
        {
            Independence::OtherSession
        } else {
            Independence::OtherModel
        }
    };
    let mut ordered: Vec<_> = candidates.into_iter().map(|c| (far(&c), c)).collect();
    ordered.sort_by_key(|(far, _)| *far);
    ordered.into_iter().map(|(far, c)| (c, far)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(runtime: &str, kind: &str, model: &str) -> Candidate {
        Candidate {
            runtime: runtime.to_owned(),
            tier: TierName::new("t"),
            model: model.to_owned(),
            vendor: vendor(kind, runtime, model),
        }
    }

    #[test]
    fn whose_a_model_is() {
        for (kind, model, whose) in [
            ("claude-code", "claude-sonnet-4-5", "anthropic"),
            ("claude-code", "a-name-of-tomorrow", "anthropic"),
            ("codex", "gpt-5.2-codex", "openai"),
            ("acp", "openrouter/anthropic/claude-opus-4", "anthropic"),
            ("acp", "google/gemini-3-pro", "google"),
            ("messages", "glm-4.7", "zhipu"),
            ("messages", "proto3", "runtime x"),
            ("messages", "o3-mini", "openai"),
            ("acp", "default", "runtime x"),
            ("command", "claude-haiku-4-5", "runtime x"),
        ] {
            assert_eq!(vendor(kind, "x", model), whose, "{kind} {model}");
        }
    }

    #[test]
    fn the_farthest_comes_first_and_wishes_count_among_equals() {
        let made_by = |runtime: &str, kind: &str, model: &str| Maker {
            vendor: vendor(kind, runtime, model),
            model: model.to_owned(),
        };
        let all = vec![
            candidate("claude", "claude-code", "claude-haiku-4-5"),
            candidate("claude", "claude-code", "claude-opus-4-5"),
            candidate("codex", "codex", "gpt-5.2"),
            candidate("gemini", "acp", "gemini-3"),
        ];
        let order = |makers: &[Maker]| -> Vec<(String, Independence)> {
            let all = in_order(makers, all.clone()).into_iter();
            all.map(|(c, far)| (c.model, far)).collect()
        };
        let haiku = made_by("claude", "claude-code", "claude-haiku-4-5");
        assert_eq!(
            order(std::slice::from_ref(&haiku)),
            [
                ("gpt-5.2".to_owned(), Independence::OtherVendor),
                ("gemini-3".to_owned(), Independence::OtherVendor),
                ("claude-opus-4-5".to_owned(), Independence::OtherModel),
                ("claude-haiku-4-5".to_owned(), Independence::OtherSession),
            ]
        );
        let codex = made_by("codex", "codex", "gpt-5.2");
        let first = order(&[haiku, codex]).remove(0);
        assert_eq!(first, ("gemini-3".to_owned(), Independence::OtherVendor));
        assert!(
            order(&[])
                .iter()
                .all(|(_, far)| *far == Independence::OtherVendor)
        );
    }
}
