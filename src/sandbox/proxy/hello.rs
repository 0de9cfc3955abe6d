//! The first bytes of a tunnel: TLS for the very host that was asked for, or a plain HTTP request. Pure.
//!
//! Whatever else a tunnel would carry (ssh, mail, another proxy's CONNECT) is no web traffic and is refused; so is a
//! TLS greeting that names another host than the tunnel does: behind a shared front that would be another site.

/// The longest greeting that is looked at, in bytes: a TLS record.
pub(super) const LONGEST: usize = 16 * 1024 + 5;

/// What the first bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hello {
    /// There must come more before it can be told.
    Unfinished,
    /// TLS, with the name that it asks for.
    Tls(Option<String>),
    /// A plain request.
    Http,
    /// Anything else.
    Other,
}

const METHODS: [&str; 8] = [
    "GET ", "POST ", "PUT ", "HEAD ", "PATCH ", "DELETE ", "OPTIONS ", "PRI ",
];

/// Looks at what was read so far.
pub(super) fn look(bytes: &[u8]) -> Hello {
    match bytes {
        [] => Hello::Unfinished,
        [0x16, ..] => greeting(bytes),
        _ if METHODS.iter().any(|m| bytes.starts_with(m.as_bytes())) => Hello::Http,
        _ if METHODS.iter().any(|m| m.as_bytes().starts_with(bytes)) => Hello::Unfinished,
        _ => Hello::Other,
    }
}

/// A greeting is one record; one that is cut over several is nobody's habit and cannot be judged.
fn greeting(bytes: &[u8]) -> Hello {
    let Some(header) = bytes.get(..5) else {
        return Hello::Unfinished;
    };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    match bytes.get(5..5 + length) {
        _ if length + 5 > LONGEST => Hello::Other,
        None => Hello::Unfinished,
        Some(record) => match server_name(record) {
            Ok(name) => Hello::Tls(name),
            Err(Torn) => Hello::Other,
        },
    }
}

struct Torn;

/// The name in the greeting's server name extension; none where there is none.
fn server_name(record: &[u8]) -> Result<Option<String>, Torn> {
    let mut at = Bytes(record);
    if at.number(1)? != 1 {
        return Err(Torn);
    }
    let length = at.number(3)?;
    let mut hello = Bytes(at.take(length)?);
    // Version and random.
    hello.take(2 + 32)?;
    hello.block(1)?;
    hello.block(2)?;
    hello.block(1)?;
    if hello.0.is_empty() {
        return Ok(None);
    }
    let mut extensions = Bytes(hello.block(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let body = extensions.block(2)?;
        if kind == 0 {
            return first_name(body).map(Some);
        }
    }
    Ok(None)
}

fn first_name(body: &[u8]) -> Result<String, Torn> {
    let mut list = Bytes(Bytes(body).block(2)?);
    if list.number(1)? != 0 {
        return Err(Torn);
    }
    let name = std::str::from_utf8(list.block(2)?).map_err(|_| Torn)?;
    Ok(name.to_ascii_lowercase())
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Torn> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Torn)?;
        self.0 = rest;
        Ok(head)
    }

    fn number(&mut self, width: usize) -> Result<usize, Torn> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// A block behind its length.
    fn block(&mut self, width: usize) -> Result<&'a [u8], Torn> {
        let length = self.number(width)?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A greeting as RFC 8446 has it, with this server name.
    fn hello(name: Option<&str>) -> Vec<u8> {
        let block2 = |body: &[u8]| [&(body.len() as u16).to_be_bytes(), body].concat();
        let mut extensions = [&[0, 10][..], &block2(&[0, 2, 0, 29])].concat();
        if let Some(name) = name {
            let entry = [&[0][..], &block2(name.as_bytes())].concat();
            extensions.extend([&[0, 0][..], &block2(&block2(&entry))].concat());
        }
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend(block2(&extensions));
        let length = (body.len() as u32).to_be_bytes();
        let record = [&[1][..], &length[1..], &body].concat();
        [&[0x16, 3, 1][..], &block2(&record)].concat()
    }

    #[test]
    fn the_name_is_found() {
        assert_eq!(
            look(&hello(Some("API.example.com"))),
            Hello::Tls(Some("api.example.com".into()))
        );
        assert_eq!(look(&hello(None)), Hello::Tls(None));
    }

    #[test]
    fn a_greeting_is_waited_for_and_a_torn_one_refused() {
        let whole = hello(Some("a.b"));
        for length in 0..whole.len() {
            assert_eq!(look(&whole[..length]), Hello::Unfinished, "{length}");
        }
        for at in 5..whole.len() {
            let mut torn = whole.clone();
            torn[at] = 0xff;
            // Whatever it is taken for, it is not taken for another name's whole greeting by a panic.
            let _ = look(&torn);
        }
        assert_eq!(look(&[0x16, 3, 1, 0, 1, 9]), Hello::Other);
    }

    #[test]
    fn web_traffic_and_nothing_else() {
        assert_eq!(look(b"GET / HTTP/1.1"), Hello::Http);
        assert_eq!(look(b"PO"), Hello::Unfinished);
        for other in ["SSH-2.0-x", "CONNECT a:1 HTTP/1.1", "EHLO x", "\0\0"] {
            assert_eq!(look(other.as_bytes()), Hello::Other, "{other}");
        }
    }
}
