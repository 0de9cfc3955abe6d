//! The value of a Scope: folders and patterns of paths, by comma or one a line, or else words.

/// One part of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Without the marks around it.
    pub(super) text: String,
    /// Whether it reads like a sentence: blanks stand in it, and no marks around it.
    pub(super) is_prose: bool,
}

/// The parts; none where it says that there are none.
pub(super) fn patterns(value: &str) -> Vec<Pattern> {
    let parts = value.split([',', '\n']);
    let parts = parts.map(|part| part.trim().trim_start_matches("- ").trim());
    let known = parts.filter(|part| !matches!(part.to_lowercase().as_str(), "" | "-" | "none" | "n/a"));
    known
        .map(|part| {
            let bare = ['`', '"', '\'']
                .iter()
                .find_map(|mark| part.strip_prefix(*mark)?.strip_suffix(*mark));
            Pattern {
                text: bare.unwrap_or(part).to_owned(),
                is_prose: bare.is_none() && part.contains(char::is_whitespace),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_words() {
        let of = |value: &str| -> Vec<(String, bool)> {
            patterns(value)
                .into_iter()
                .map(|p| (p.text, p.is_prose))
                .collect()
        };
        let paths = |value: &str, wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|w| ((*w).to_owned(), false)).collect();
            assert_eq!(of(value), wanted, "{value}");
        };
        paths("src/, docs/**", &["src/", "docs/**"]);
        paths("`src/a b/`, **/*.md", &["src/a b/", "**/*.md"]);
        paths("\n- src\n- `docs`", &["src", "docs"]);
        paths("none", &[]);
        assert!(of("Only the login, no changes of the interface")[0].1);
    }
}
