use super::*;

fn kinds(text: &str) -> String {
    let letter = |kind: Kind| match kind {
        Kind::Blank => '.',
        Kind::Text => 't',
        Kind::Heading(level) => char::from(b'0' + level),
        Kind::FenceOpen => '<',
        Kind::FenceBody => '-',
        Kind::FenceClose => '>',
        Kind::Comment => 'c',
    };
    scan(text.as_bytes())
        .lines
        .iter()
        .map(|l| letter(l.kind))
        .collect()
}

#[test]
fn lines() {
    let table = [
        ("", ""),
        ("# a\n\n####### b\n#c\n   ## d\n    ## e\n##", "1.tt2t2"),
        ("a\r\n## b\r## c\r\n", "t22"),
        ("```sh\n## x\n````\n## y", "<->2"),
        ("````\n```\n## x\n````\n## y", "<-->2"),
        ("~~~ a`b\n```\n~~\n~~~~  \n## y", "<-->2"),
        ("  ```\n  # x\n  ```\n## y", "<->2"),
        ("```inline``` code\n## y", "t2"),
        ("<!--\n## x\n\n- y\n--> ## z\n## w", "ccccc2"),
        ("<!-- x -->\n<!-- a --> b <!-- c\nd --> ## e\n## f", "ctc2"),
        ("a <!-- b\n\n## c\n-->\n", "t.2t"),
        ("a `<!--` b\n## c", "t2"),
        ("a `` `<!--` b ` ``\n## c", "t2"),
        ("<!-->\n## a\n<!--->\n## b", "c2c2"),
        ("## a <!-- b\n## c -->", "22"),
        ("\u{feff}## a", "2"),
    ];
    for (text, want) in table {
        assert_eq!(kinds(text), want, "{text:?}");
    }
}

#[test]
fn what_does_not_end_is_said() {
    assert_eq!(scan(b"a\n```\nb").unclosed_fence, Some(1));
    assert_eq!(scan(b"a\n<!-- b\n## c").unclosed_comment, Some(1));
    assert_eq!(scan(b"a <!-- b\n\nc").dangling_comments, [0]);
}

#[test]
fn visible_text_has_no_comments() {
    let text = b"a <!-- b --> c <!-- d\ne --> f";
    assert_eq!(scan(text).visible_text(text, 0..text.len()), "a  c  f");
    assert_eq!(scan(text).visible_text(text, 4..13), " ");
}

#[test]
fn hostile_input_is_read_in_linear_time() {
    let runs: String = (1..1500).map(|n| format!("{} ", "`".repeat(n))).collect();
    let started = std::time::Instant::now();
    for text in [
        "<!-- ".repeat(400_000),
        format!("a {}", "<!-- \n".repeat(300_000)),
        format!("{runs}<!--{runs}"),
    ] {
        assert!(!scan(text.as_bytes()).lines.is_empty());
    }
    assert!(started.elapsed().as_secs() < 20, "took {:?}", started.elapsed());
}
