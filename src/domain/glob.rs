//! Patterns of paths, as people write them: `src/`, `docs/**`, `crates/*/src`, `*.md`.
//!
//! Parts are compared one by one: `*` is any run of characters within a part, `?` one character, `**` any number of parts.
//! A pattern whose last part is plain, or that ends in `/`, also stands for all that lies below it. Paths are relative,
//! with `/`; case counts. Deliberately absent: classes, braces, negation.

/// Whether one of the patterns stands for this path.
pub fn any<P: AsRef<str>>(patterns: &[P], path: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_ref(), path))
}

/// Whether a pattern stands for a path.
pub fn matches(pattern: &str, path: &str) -> bool {
    let parts: Vec<&str> = parts(pattern).collect();
    let path: Vec<&str> = path.split('/').collect();
    let last = parts.last().copied().unwrap_or_default();
    let a_folder = pattern.ends_with('/') || !last.contains(['*', '?']);
    match parts.is_empty() {
        true => pattern.contains('.'),
        false => fits(&parts, &path, a_folder),
    }
}

/// Whether a pattern can stand for anything at all: it neither climbs nor begins at the root.
pub fn is_inside(pattern: &str) -> bool {
    !pattern.trim().is_empty() && !pattern.starts_with(['/', '~']) && parts(pattern).all(|part| part != "..")
}

fn parts(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// Row by row, a part of the pattern each: how long the beginnings of the path are that it fits.
fn fits(pattern: &[&str], path: &[&str], a_folder: bool) -> bool {
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let before = std::mem::replace(&mut reach, vec![false; path.len() + 1]);
        for at in 0..=path.len() {
            reach[at] = match *part {
                "**" => before[..=at].contains(&true),
                part => at > 0 && before[at - 1] && part_fits(part.as_bytes(), path[at - 1].as_bytes()),
            };
        }
    }
    match a_folder {
        true => reach[1..].contains(&true),
        false => reach[path.len()],
    }
}

/// Whether a text that is no path fits a pattern of `*` and `?`.
pub fn fits_text(pattern: &str, text: &str) -> bool {
    part_fits(pattern.as_bytes(), text.as_bytes())
}

/// One part; of several stars only the last one is ever gone back to.
fn part_fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += letter(&text[t..]);
            }
            Some(c) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// The length of the first character, in bytes.
fn letter(text: &[u8]) -> usize {
    1 + text[1..].iter().take_while(|b| **b & 0xC0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_paths() {
        for (pattern, path, wanted) in [
            ("src", "src/a/b.rs", true),
            ("src/", "src/a.rs", true),
            ("./src", "src/a.rs", true),
            ("src", "src", true),
            ("src", "srcs/a.rs", false),
            ("src", "a/src/b", false),
            ("src/a.rs", "src/a.rs", true),
            ("src/*", "src/a.rs", true),
            ("src/*", "src/a/b.rs", false),
            ("src/*/", "src/a/b.rs", true),
            ("src/*/", "src/a.rs", true),
            ("src/**", "src/a/b.rs", true),
            ("src/**", "src/a", true),
            ("**", "a/b", true),
            ("**/*.md", "a/b/c.md", true),
            ("**/*.md", "c.md", true),
            ("*.md", "a/c.md", false),
            ("**/tests/**", "a/tests/b", true),
            ("**/tests/**", "tests/b/c", true),
            ("crates/*/src", "crates/x/src/lib.rs", true),
            ("crates/*/src", "crates/x/y/src/lib.rs", false),
            ("a?.txt", "ab.txt", true),
            ("a?.txt", "aä.txt", true),
            ("a?.txt", "a.txt", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            (".", "a/b", true),
            ("./", "a", true),
            ("", "a", false),
            ("SRC", "src/a", false),
            ("[ab]", "a", false),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
        assert!(any(&["docs", "src"], "src/a") && !any::<&str>(&[], "src/a"));
    }

    #[test]
    fn what_leads_outside_is_no_pattern() {
        for (pattern, wanted) in [
            ("src", true),
            (".", true),
            ("a..b", true),
            ("../x", false),
            ("a/../../x", false),
            ("/etc", false),
            ("~/x", false),
            (" ", false),
        ] {
            assert_eq!(is_inside(pattern), wanted, "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_fits_itself_and_many_stars_cost_little(path in "[a-z]{1,9}(/[a-z*]{1,40}){0,6}") {
            let plain = path.replace('*', "x");
            proptest::prop_assert!(matches(&plain, &plain));
            proptest::prop_assert!(matches(&path, &plain));
            proptest::prop_assert!(matches("**", &plain));
        }
    }
}
