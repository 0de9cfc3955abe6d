use proptest::prelude::*;

use super::*;

/// Whether nothing in it means anything to Slack but the escapes.
fn is_inert(text: &str) -> bool {
    let bare = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
    !bare.contains(['<', '>', '&'])
}

#[test]
fn nothing_pings_or_links() {
    for (text, shown) in [
        ("<!channel> & <@U123>", "&lt;!channel&gt; &amp; &lt;@U123&gt;"),
        (
            "<https://evil.example|Approve>",
            "&lt;https://evil.example|Approve&gt;",
        ),
        ("&lt;", "&amp;lt;"),
        ("a\u{202e}b\u{0}c\u{1b}[31m", "abc[31m"),
        ("two\nlines", "two\nlines"),
        (" \n", "(empty)"),
        ("", "(empty)"),
    ] {
        assert_eq!(within(text, 3000), shown, "{text:?}");
    }
}

#[test]
fn a_cut_says_how_much_is_missing() {
    let long = "x".repeat(100);
    assert_eq!(within(&long, 100), long);
    assert_eq!(
        within(&long, 60),
        format!("{}… (72 more characters)", "x".repeat(28))
    );
    assert_eq!(literal(&long, 60), within(&long, 60));
}

#[test]
fn parts_are_broken_between_lines() {
    let text = "first line\nsecond line\nthird";
    assert_eq!(parts(text, 23, 9), ["first line\nsecond line", "third"]);
    assert_eq!(parts(text, 100, 9), [text]);
    assert_eq!(parts("", 100, 9), ["(empty)"]);
}

#[test]
fn what_people_wrote() {
    for (written, text) in [
        ("<@UBOT> status", "status"),
        ("<@UBOT|bot>: why &lt;x&gt; &amp;amp; y", ": why <x> &amp; y"),
        (
            "see <https://example.org/a|this> and <https://example.org>",
            "see https://example.org/a and https://example.org",
        ),
        ("ask <@U2|jane> in <#C1|general>", "ask @jane in #general"),
        ("<!here> <!subteam^S1|@team>", "@here @team"),
        ("a < b", "a  b"),
        ("plain", "plain"),
    ] {
        assert_eq!(spoken(written, "UBOT"), text, "{written}");
    }
}

#[test]
fn who_is_mentioned() {
    assert!(mentions("hey <@UBOT>", "UBOT") && mentions("<@U2> <@UBOT|b>", "UBOT"));
    assert!(
        !mentions("<@UBOTTOM>", "UBOT") && !mentions("@UBOT", "UBOT") && !mentions("&lt;@UBOT&gt;", "UBOT")
    );
}

proptest! {
    #[test]
    fn whatever_comes_fits_and_is_inert(text in "(\\PC|[<>&\\n\\t ]|<!channel>|😀){0,200}", most in 40_usize..300) {
        let shown = within(&text, most);
        prop_assert!(units(&shown) <= most, "{} > {most}", units(&shown));
        prop_assert!(is_inert(&shown), "{shown}");
        prop_assert!(units(&literal(&text, most)) <= most);
    }

    #[test]
    fn parts_fit_and_lose_nothing_that_fits(text in "(\\PC|[<>&\\n ]){0,400}", each in 40_usize..200, count in 1_usize..6) {
        let all = parts(&text, each, count);
        prop_assert!(!all.is_empty() && all.len() <= count);
        for part in &all {
            prop_assert!(units(part) <= each && is_inert(part), "{part}");
            prop_assert!(!part.trim().is_empty());
        }
        if !all.last().unwrap().contains("more characters") && !text.contains("more characters") {
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let said = solid(&all.concat());
            if said != "(empty)" {
                prop_assert_eq!(said.replace("(empty)", ""), solid(&escaped(&text)).replace("(empty)", ""));
            }
        }
    }

    #[test]
    fn reading_never_fails(text in "[<>@#!|a-zU&;]{0,60}") {
        let said = spoken(&text, "UBOT");
        prop_assert!(said.len() <= text.len() + 8);
    }
}
