//! What hyper answers to what is no request: a bare status, which neither says what is wrong nor tells a browser anything. It is
//! put in words here.

use std::fmt::Write;

use super::headers::EVERYWHERE;

/// What takes the place of `answer`, which hyper writes where nobody has asked anything; `None` where it is no refusal.
pub(super) fn in_words(answer: &[u8]) -> Option<String> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?;
    let line = line.get(..line.windows(2).position(|end| end == b"\r\n")?)?;
    let line = std::str::from_utf8(line).ok()?;
    let said = match line.get(..3)? {
        "414" => "Request target too long: send at most 65534 bytes.",
        "431" => "Request head too large: send at most 64 KiB, with at most 100 header fields.",
        status if status.starts_with('4') => "Invalid HTTP request: send HTTP/1.1 to this address.",
        _ => return None,
    };
    let mut text =
        format!("HTTP/1.1 {line}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n");
    for (name, value) in EVERYWHERE {
        // writing to a String does not fail
        write!(text, "{name}: {value}\r\n").ok();
    }
    write!(text, "content-length: {}\r\n\r\n{said}\n", said.len() + 1).ok();
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_gets_words_and_headers_and_nothing_else_does() {
        let refused =
            in_words(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert!(refused.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{refused}");
        let (head, body) = refused.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("nosniff") && head.ends_with(&format!("content-length: {}", body.len())),
            "{refused}"
        );
        for other in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 400 Bad", "", "x"]
        {
            assert_eq!(in_words(other.as_bytes()), None, "{other}");
        }
    }
}
