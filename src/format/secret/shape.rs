//! Tokens that begin with a mark of whoever gives them out.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::placeholder;

/// The form of one kind of token.
pub(super) struct Shape {
    /// What it is, for people.
    kind: &'static str,
    /// How it begins.
    pub(super) begins: &'static str,
    /// What follows, up to the first other character.
    of: fn(u8) -> bool,
    /// How long that is.
    long: Range<usize>,
    /// What must stand in it, besides.
    holds: &'static str,
}

/// As long as one likes.
const ANY: usize = usize::MAX;

/// The forms that are known.
pub(super) const SHAPES: &[Shape] = &[
    shape("AWS access key id", "AKIA", base32, 16..17),
    shape("AWS access key id", "ASIA", base32, 16..17),
    shape("GitHub token", "ghp_", alnum, 36..ANY),
    shape("GitHub token", "gho_", alnum, 36..ANY),
    shape("GitHub token", "ghu_", alnum, 36..ANY),
    shape("GitHub token", "ghs_", alnum, 36..ANY),
    shape("GitHub token", "ghr_", alnum, 36..ANY),
    shape("GitHub token", "github_pat_", word, 59..ANY),
    shape("GitLab token", "glpat-", dashed, 20..ANY),
    shape("Slack token", "xoxb-", dashed, 24..ANY),
    shape("Slack token", "xoxp-", dashed, 24..ANY),
    shape("Slack token", "xoxa-", dashed, 24..ANY),
    shape("Slack token", "xoxr-", dashed, 24..ANY),
    shape("Slack token", "xoxs-", dashed, 24..ANY),
    shape("Slack token", "xapp-", dashed, 24..ANY),
    shape(
        "Slack webhook address",
        "hooks.slack.com/services/T",
        hook,
        36..ANY,
    ),
    shape("Stripe live key", "sk_live_", alnum, 16..ANY),
    shape("Stripe live key", "rk_live_", alnum, 16..ANY),
    shape("Google API key", "AIza", dashed, 35..36),
    shape("Anthropic key", "sk-ant-", dashed, 32..ANY),
    shape("OpenAI key", "sk-proj-", dashed, 32..ANY),
    shape("OpenAI key", "sk-svcacct-", dashed, 32..ANY),
    shape("OpenAI key", "sk-admin-", dashed, 32..ANY),
    Shape {
        holds: "T3BlbkFJ",
        ..shape("OpenAI key", "sk-", alnum, 40..ANY)
    },
    shape("npm token", "npm_", alnum, 36..37),
    shape("PyPI token", "pypi-AgE", dashed, 50..ANY),
    shape("Hugging Face token", "hf_", alnum, 34..41),
    shape("DigitalOcean token", "dop_v1_", hex, 64..65),
    shape("SendGrid key", "SG.", dotted, 65..68),
    shape("Azure storage key", "AccountKey=", base64, 86..89),
];

const fn shape(kind: &'static str, begins: &'static str, of: fn(u8) -> bool, long: Range<usize>) -> Shape {
    Shape {
        kind,
        begins,
        of,
        long,
        holds: "",
    }
}

/// Finds all the beginnings at once; absent where it cannot be built.
static BEGINNINGS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(SHAPES.iter().map(|shape| shape.begins)).ok());

/// Where tokens of the known forms stand, with their kind; placeholders are left out.
pub(super) fn tokens(text: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let Some(beginnings) = &*BEGINNINGS else {
        return vec![("text that could not be looked through", 0..text.len())];
    };
    let begun = beginnings.find_overlapping_iter(text);
    let token = |begun: aho_corasick::Match| {
        let shape = SHAPES.get(begun.pattern().as_usize())?;
        Some((shape.kind, shape.place(text, begun.range())?))
    };
    begun.filter_map(token).collect()
}

impl Shape {
    /// The token that begins here, if it is one.
    fn place(&self, text: &[u8], begun: Range<usize>) -> Option<Range<usize>> {
        // In the middle of a longer word it is something else.
        let free = begun.start == 0 || !dashed(text[begun.start - 1]);
        let rest = &text[begun.end..];
        let long = rest.iter().take_while(|b| (self.of)(**b)).count();
        let token = &rest[..long];
        let is_token =
            free && self.long.contains(&long) && self.is_held(token) && !placeholder::is_one(token);
        is_token.then(|| begun.start..begun.end + long)
    }

    fn is_held(&self, token: &[u8]) -> bool {
        let holds = self.holds.as_bytes();
        holds.is_empty() || token.windows(holds.len()).any(|part| part == holds)
    }
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn word(b: u8) -> bool {
    alnum(b) || b == b'_'
}

fn dashed(b: u8) -> bool {
    word(b) || b == b'-'
}

fn dotted(b: u8) -> bool {
    dashed(b) || b == b'.'
}

fn hook(b: u8) -> bool {
    alnum(b) || b == b'/'
}

fn base32(b: u8) -> bool {
    b.is_ascii_uppercase() || matches!(b, b'2'..=b'7')
}

fn base64(b: u8) -> bool {
    alnum(b) || matches!(b, b'+' | b'/' | b'=')
}

fn hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}
