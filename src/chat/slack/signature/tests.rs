use chrono::TimeDelta;

use super::*;

/// The example on Slack's page.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const STAMP: i64 = 1_531_420_618;
const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SIGNATURE_OF_IT: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

fn signing() -> Signing {
    Signing {
        secret: SecretString::from(SECRET),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(STAMP, 0).unwrap()
}

fn request() -> Request {
    Request {
        headers: vec![
            (TIMESTAMP.to_owned(), STAMP.to_string()),
            (SIGNATURE.to_owned(), SIGNATURE_OF_IT.to_owned()),
        ],
        body: BODY.as_bytes().to_vec(),
        at: now(),
    }
}

fn accepts(change: impl FnOnce(&mut Request)) -> bool {
    let mut request = request();
    change(&mut request);
    signing().accepts(&request)
}

#[test]
fn the_example_of_the_documentation() {
    assert!(accepts(|_| ()));
}

#[test]
fn its_age() {
    for (seconds, good) in [
        (0, true),
        (-299, true),
        (300, true),
        (301, false),
        (-301, false),
        (86_400, false),
    ] {
        let accepted = accepts(|request| request.at += TimeDelta::seconds(seconds));
        assert_eq!(accepted, good, "{seconds} s");
    }
}

#[test]
fn everything_wrong_is_refused() {
    let header = |name: usize, value: &'static str| {
        move |request: &mut Request| request.headers[name].1 = value.to_owned()
    };
    for (what, accepted) in [
        ("no signature", accepts(|r| drop(r.headers.remove(1)))),
        ("no time", accepts(|r| drop(r.headers.remove(0)))),
        ("one byte more", accepts(|r| r.body.push(b' '))),
        ("one byte less", accepts(|r| r.body.truncate(9))),
        ("two times", accepts(|r| r.headers.push(r.headers[0].clone()))),
        (
            "two signatures",
            accepts(|r| r.headers.push(r.headers[1].clone())),
        ),
        ("a time in words", accepts(header(0, "yesterday"))),
        ("a time with a sign", accepts(header(0, "+1531420618"))),
        ("a time with a space", accepts(header(0, " 1531420618"))),
        ("a time with a fraction", accepts(header(0, "1531420618.0"))),
        (
            "a time without end",
            accepts(header(0, "99999999999999999999999")),
        ),
        ("no time in it", accepts(header(0, ""))),
        ("another time", accepts(header(0, "1531420619"))),
        ("nothing signed", accepts(header(1, ""))),
        ("the version alone", accepts(header(1, "v0="))),
        ("half a signature", accepts(header(1, &SIGNATURE_OF_IT[..40]))),
        (
            "another version",
            accepts(|r| r.headers[1].1 = SIGNATURE_OF_IT.replace("v0=", "v1=")),
        ),
        (
            "upper case",
            accepts(|r| r.headers[1].1 = SIGNATURE_OF_IT.to_uppercase()),
        ),
        ("no digits", accepts(header(1, "v0=zz"))),
    ] {
        assert!(!accepted, "{what}");
    }
}
