//! Whether a list goes on, from the headers of one page. Pure.
//!
//! Of a link only the number of the page is taken: whose host it names is not looked at, so a token goes nowhere else,
//! and a forge behind a proxy, which names itself otherwise, can be read too. GitHub tells by `Link`, Gitea by `Link`
//! on some lists and by `X-Total-Count` on the others.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

/// Whether there is another page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Further {
    /// There is none.
    No,
    /// This one.
    Page(u64),
    /// There is one, and it cannot be told which.
    Unclear,
}

/// Whether there is another page after this one, which came with these headers; `seen` is how many entries were read so
/// far, `got` how many with this page.
pub(super) fn further(headers: &HeaderMap, page: u64, seen: usize, got: usize) -> Further {
    if let Some(link) = headers.get(LINK) {
        return match link.to_str() {
            Ok(text) => following(text, page),
            Err(_) => Further::Unclear,
        };
    }
    let total = headers.get("x-total-count").and_then(|value| value.to_str().ok());
    match total.and_then(|text| text.parse::<usize>().ok()) {
        Some(total) if seen < total && got > 0 => Further::Page(page + 1),
        _ => Further::No,
    }
}

fn following(link: &str, page: u64) -> Further {
    let Some(target) = targets(link).find_map(|(target, params)| is_next(params).then_some(target)) else {
        return Further::No;
    };
    match page_of(target) {
        Some(next) if next > page => Further::Page(next),
        _ => Further::Unclear,
    }
}

/// The parts `<target>; parameters`, separated by commas; a target may hold commas itself.
fn targets(link: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = link;
    std::iter::from_fn(move || {
        let (target, after) = rest.split_once('<')?.1.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        rest = &after[end..];
        Some((target, &after[..end]))
    })
}

fn is_next(params: &str) -> bool {
    params.split([';', ',']).any(|param| {
        let (key, value) = param.split_once('=').unwrap_or((param, ""));
        let words = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case("rel")
            && words.split_whitespace().any(|w| w.eq_ignore_ascii_case("next"))
    })
}

fn page_of(target: &str) -> Option<u64> {
    let base = Url::parse("https://forge.invalid/").ok()?;
    let url = base.join(target).ok()?;
    let page = url.query_pairs().find(|(key, _)| key == "page")?.1.into_owned();
    page.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(name, value.parse().unwrap());
        map
    }

    #[test]
    fn links() {
        for (link, wanted) in [
            (
                r#"<https://api.github.com/x?per_page=2&page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last""#,
                Further::Page(2),
            ),
            (
                r#"<https://elsewhere.example/x?page=3>; rel=next"#,
                Further::Page(3),
            ),
            (
                r#"</x?page=2&q=a,b>; title="a, b"; rel="last next""#,
                Further::Page(2),
            ),
            (
                r#"<https://h/x?page=1>; rel="first", <https://h/x?page=1>; rel="prev""#,
                Further::No,
            ),
            (r#"<https://h/x?page=1>; rel="next""#, Further::Unclear),
            (r#"<https://h/x?after=abc>; rel="next""#, Further::Unclear),
            ("nonsense", Further::No),
            ("", Further::No),
        ] {
            assert_eq!(further(&headers("link", link), 1, 2, 2), wanted, "{link}");
        }
    }

    #[test]
    fn totals() {
        for (total, seen, got, wanted) in [
            ("5", 2, 2, Further::Page(2)),
            ("5", 5, 1, Further::No),
            ("5", 4, 0, Further::No),
            ("many", 2, 2, Further::No),
        ] {
            assert_eq!(
                further(&headers("x-total-count", total), 1, seen, got),
                wanted,
                "{total} {seen}"
            );
        }
        assert_eq!(further(&HeaderMap::new(), 1, 2, 2), Further::No);
    }
}
