use super::*;

/// Characters as random as a token's, of this length. Tokens are put together here: in one piece they would be taken
/// for real ones wherever this file is looked at.
fn random(long: usize) -> String {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[(state % 62) as usize])
    };
    std::iter::repeat_with(next).take(long).collect()
}

fn kinds(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    find(path, text.as_bytes())
        .iter()
        .map(|f| (f.kind, f.line))
        .collect()
}

fn armour(title: &str, body: &str) -> String {
    format!("-----BEGIN {title}-----\n{body}\n-----END {title}-----\n")
}

#[test]
fn tokens_are_found_by_their_form() {
    let upper: String = "QW3RTZ5YXCV7BNMPLK".chars().take(16).collect();
    for (begin, rest, kind) in [
        ("AKIA", upper.clone(), "AWS access key id"),
        ("ghp_", random(36), "GitHub token"),
        (
            "github_pat_",
            format!("{}_{}", random(22), random(59)),
            "GitHub token",
        ),
        ("glpat-", random(20), "GitLab token"),
        ("xoxb-", format!("2345678901-{}", random(24)), "Slack token"),
        (
            "hooks.slack.com/services/T",
            format!("0AB12CD34/B0EF56GH7/{}", random(24)),
            "Slack webhook address",
        ),
        ("sk_live_", random(24), "Stripe live key"),
        ("AIza", random(35), "Google API key"),
        ("sk-ant-", format!("api03-{}", random(95)), "Anthropic key"),
        ("sk-proj-", random(48), "OpenAI key"),
        (
            "sk-",
            format!("{}T3BlbkFJ{}", random(20), random(20)),
            "OpenAI key",
        ),
        ("npm_", random(36), "npm token"),
        ("pypi-AgE", format!("IcHlwaS5vcmc{}", random(60)), "PyPI token"),
        ("SG.", format!("{}.{}", random(22), random(43)), "SendGrid key"),
        ("AccountKey=", format!("{}==", random(86)), "Azure storage key"),
    ] {
        for around in [
            ("", ""),
            ("key = \"", "\"\n"),
            ("https://x:", "@host/"),
            ("{k:'", "'}"),
        ] {
            let text = format!("first\n{}{begin}{rest}{} end", around.0, around.1);
            assert_eq!(kinds("a.txt", &text), [(kind, 2)], "{begin} in {around:?}");
        }
        assert_eq!(
            kinds("a.txt", &format!("x{begin}{rest}")),
            [],
            "{begin} within a word"
        );
    }
}

#[test]
fn private_keys_are_found_however_their_lines_end() {
    let body = format!("{}\n{}\n{}", random(64), random(64), random(20));
    for title in [
        "RSA PRIVATE KEY",
        "PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "EC PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        assert_eq!(
            kinds("k.pem", &format!("a\nb\n{}", armour(title, &body))),
            [("private key", 3)]
        );
        let json = format!(
            "{{\"private_key\": \"{}\"}}",
            armour(title, &body).replace('\n', "\\n")
        );
        assert_eq!(kinds("k.json", &json), [("private key", 1)]);
        let encrypted = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n{body}");
        assert_eq!(kinds("k", &armour(title, &encrypted)), [("private key", 1)]);
        let cut = format!("-----BEGIN {title}-----\r\n{}", body.replace('\n', "\r\n"));
        assert_eq!(kinds("k", &cut), [("private key", 1)], "without an end");
    }
    let indented = armour("PRIVATE KEY", &body).replace('\n', "\n    ");
    assert_eq!(
        kinds("a.yaml", &format!("key: |\n    {indented}")),
        [("private key", 2)]
    );
}

#[test]
fn what_is_no_secret_is_left_alone() {
    let certificate = armour("CERTIFICATE", &random(200));
    let public = armour("PUBLIC KEY", &random(200));
    let elided = armour("PRIVATE KEY", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n...");
    let same = armour("RSA PRIVATE KEY", &"A".repeat(200));
    let words = [
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        format!("AKIA{}", "X".repeat(16)),
        format!("ghp_{}", "x".repeat(36)),
        format!("ghp_{}", "0123456789abcdefghijklmnopqrstuvwxyz"),
        format!("ghp_{}", "your_token_here"),
        "glpat-xxxxxxxxxxxxxxxxxxxx".to_owned(),
        "sk_live_...".to_owned(),
        format!("sk_test_{}", random(24)),
        "sk-ant-api03-placeholder-placeholder-placeholder".to_owned(),
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX".to_owned(),
        "AccountKey=<account-key>".to_owned(),
        "npm_config_registry npm_package_version npm_lifecycle_event".to_owned(),
        format!("sha512-{}==", random(86)),
        format!("AIza{}", random(60)),
        "-----BEGIN RSA PRIVATE KEY----- is how it begins".to_owned(),
        "if text.contains(\"-----BEGIN PRIVATE KEY-----\") { return; }".to_owned(),
        "risk-analysis sk-learn task-proj-one".to_owned(),
        format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", random(60), random(43)),
    ];
    for text in [certificate, public, elided, same].iter().chain(&words) {
        assert_eq!(kinds("a.txt", text), [], "{text}");
    }
}

#[test]
fn files_of_logins_are_looked_into() {
    let secret = random(20);
    for (path, line, kind) in [
        (
            "a/.env",
            format!("API_TOKEN={secret}"),
            "secret of an environment file",
        ),
        (
            ".env",
            format!("export DB_PASSWORD=\"{secret}\" # x"),
            "secret of an environment file",
        ),
        (
            ".env",
            format!("DATABASE_URL=postgres://me:{secret}@db/x"),
            "secret of an environment file",
        ),
        (
            ".npmrc",
            format!("//registry.example.org/:_authToken={secret}"),
            "login",
        ),
        (".netrc", format!("machine h login me password {secret}"), "login"),
        (".pgpass", format!("h:5432:db:me:{secret}"), "login"),
        (".git-credentials", format!("https://me:{secret}@h"), "login"),
        (
            "credentials.json",
            format!("  \"client_secret\": \"{secret}\","),
            "login",
        ),
        ("id_ed25519", random(70), "private key"),
    ] {
        assert_eq!(kinds(path, &format!("\n{line}\n")), [(kind, 2)], "{path}");
        assert_eq!(kinds(&format!("{path}.example"), &line), [], "{path}.example");
    }
    for (path, line) in [
        (".env", "PORT=3000"),
        (".env", "API_TOKEN="),
        (".env", "API_TOKEN=changeme-please"),
        (".env", "API_KEY=your-key-goes-here"),
        (".env", "DB_PASSWORD=postgres"),
        (".env", "SECRET_KEY=${SECRET_KEY_OF_HOST}"),
        (".env", "PUBLIC_KEY_ID=abcdEFGH12345678"),
        (".env", "KEY_FILE=/run/secrets/the-key-of-it"),
        (".env", "# TOKEN=abcdEFGH12345678"),
        (".env", "DATABASE_URL=postgres://postgres:postgres@localhost/x"),
        (".npmrc", "//registry.example.org/:_authToken=${NPM_TOKEN_OF_CI}"),
        (".npmrc", "save-exact=true"),
        (".pgpass", "# host:port:database:user:password"),
        (
            "credentials.json",
            "  \"auth_uri\": \"https://accounts.example.org/o/oauth2/auth\",",
        ),
    ] {
        assert_eq!(kinds(path, line), [], "{path}: {line}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let token = format!("ghp_{}", random(36));
    let found = find("a", token.as_bytes());
    assert_eq!(found[0].secret(), token.as_bytes());
    let shown = format!("{found:?}");
    assert!(
        !shown.contains(&token[8..20]) && shown.contains("GitHub token"),
        "{shown}"
    );
}

#[test]
fn only_telling_values_are_looked_for() {
    for (value, wanted) in [
        ("hunter2", false),
        ("/home/me/.ssh/the-key", false),
        ("placeholder-value", false),
        ("aaaaaaaaaaaaaaaaaa", false),
        ("x7Kq!p2Lm9Zt", true),
    ] {
        assert_eq!(is_telling(value.as_bytes()), wanted, "{value}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), at in 0usize..600, n in 0usize..30) {
        let mut bytes = bytes;
        let mark = shape::SHAPES.get(n).map_or("-----BEGIN PRIVATE KEY-----", |s| s.begins);
        let at = at.min(bytes.len());
        bytes.splice(at..at, mark.bytes());
        for path in ["a", ".env", ".npmrc", "id_rsa", "credentials.json"] {
            let _ = find(path, &bytes);
        }
    }
}
