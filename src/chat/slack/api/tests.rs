use super::*;

fn api(root: &str) -> Result<Api, String> {
    let mut settings = crate::chat::slack::tests::settings("https://slack.com/api");
    settings.api = root.to_owned();
    Api::new(&settings, Duration::from_secs(1))
}

#[test]
fn where_a_token_may_travel() {
    for (root, fits) in [
        ("https://slack.com/api", true),
        ("https://slack.example.org/api/", true),
        ("http://127.0.0.1:3000/api", true),
        ("http://[::1]:3000", true),
        ("http://localhost:3000", true),
        ("http://slack.com/api", false),
        ("http://127.0.0.1.example.org", false),
        ("https://u:p@slack.com/api", false),
        ("https://slack.com/api?x=1", false),
        ("ftp://slack.com", false),
        ("", false),
    ] {
        assert_eq!(api(root).is_ok(), fits, "{root}");
    }
}

#[test]
fn the_addresses_that_slack_gives() {
    let api = api("https://slack.com/api").unwrap_or_else(|why| panic!("{why}"));
    for (url, own) in [
        ("https://files.slack.com/files-pri/T1-F1/a.txt", true),
        ("https://slack.com/x", true),
        ("https://hooks.slack.com/commands/x", true),
        ("http://files.slack.com/x", false),
        ("https://files.slack.com:8443/x", false),
        ("https://slack.com.example.org/x", false),
        ("https://evilslack.com/x", false),
        ("https://token@files.slack.com/x", false),
        ("https://127.0.0.1/x", false),
        ("https://169.254.169.254/latest", false),
        ("file:///etc/passwd", false),
        ("", false),
    ] {
        assert_eq!(api.own(url).is_ok(), own, "{url}");
    }
    let socket = |url: &str| api.is_socket(&Url::parse(url).unwrap());
    assert!(socket("wss://wss-primary.slack.com/link/?ticket=1"));
    assert!(!socket("ws://wss-primary.slack.com/link") && !socket("wss://example.org/link"));
}

#[test]
fn at_another_host_its_own_addresses_are_good() {
    let api = api("http://127.0.0.1:3000/api").unwrap_or_else(|why| panic!("{why}"));
    assert!(api.own("http://127.0.0.1:3000/files/1").is_ok());
    assert!(api.own("http://127.0.0.1:3001/files/1").is_err());
    assert!(api.is_socket(&Url::parse("ws://127.0.0.1:3001/link").unwrap()));
    assert!(!api.is_socket(&Url::parse("ws://10.0.0.1/link").unwrap()));
}

#[test]
fn a_slack_of_another_domain() {
    let api = api("https://slack-gov.com/api").unwrap_or_else(|why| panic!("{why}"));
    assert!(api.own("https://files.slack-gov.com/x").is_ok() && api.own("https://files.slack.com/x").is_ok());
    assert!(api.own("https://evil-slack-gov.com/x").is_err());
    assert!(api.is_socket(&Url::parse("wss://wss-primary.slack-gov.com/link").unwrap()));
}

#[test]
fn addresses_of_methods() {
    for root in ["https://slack.com/api", "https://slack.com/api/"] {
        let api = api(root).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(
            api.address(Method::AuthTest).as_str(),
            "https://slack.com/api/auth.test"
        );
    }
}
