//! The cookie that says which session a request is of. Over https its name begins with `__Host-`, which makes browsers take it
//! from this host alone; plain HTTP, which is loopback, has neither that nor `Secure`.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};

use super::Arrival;
use crate::accounts::SESSION;

/// A token's length: 256 bits in hexadecimal digits.
const TOKEN: usize = 64;

const fn name(arrival: Arrival) -> &'static str {
    if arrival.is_https { "__Host-medic" } else { "medic" }
}

/// The token that a request brings. Of several there is none: another host may have set one of them.
pub(super) fn token(headers: &HeaderMap, arrival: Arrival) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name(arrival)).then_some(value)
    });
    let token = values.next().filter(|_| values.next().is_none())?;
    let is_token = token.len() == TOKEN && token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_token.then_some(token)
}

/// Has the browser keep this token.
pub fn set(token: &str, arrival: Arrival) -> Option<HeaderValue> {
    line(token, SESSION.as_secs(), arrival)
}

/// Has it forget the one that it has.
pub fn clear(arrival: Arrival) -> Option<HeaderValue> {
    line("", 0, arrival)
}

fn line(value: &str, age: u64, arrival: Arrival) -> Option<HeaderValue> {
    let secure = if arrival.is_https { "; Secure" } else { "" };
    let name = name(arrival);
    let line = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Arrival = Arrival { is_https: false, from: None };
    const TLS: Arrival = Arrival { is_https: true, from: None };

    fn found(lines: &[&str], arrival: Arrival) -> Option<String> {
        let headers = lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect();
        token(&headers, arrival).map(str::to_owned)
    }

    #[test]
    fn one_token_is_taken_by_the_name_of_its_way() {
        let own = "ab".repeat(32);
        let (plain, tls) = (format!("medic={own}"), format!("a=b; __Host-medic={own}"));
        assert_eq!(found(&[&plain], PLAIN).as_ref(), Some(&own));
        assert_eq!(found(&["x=y", &tls], TLS).as_ref(), Some(&own));
        assert_eq!((found(&[&plain], TLS), found(&[&tls], PLAIN)), (None, None));
        assert_eq!(found(&[&plain, &plain], PLAIN), None);
        for wrong in ["medic=", "medic=ab", &format!("medic={}", "AB".repeat(32)), &format!("xmedic={own}")] {
            assert_eq!(found(&[wrong], PLAIN), None, "{wrong}");
        }
    }

    #[test]
    fn no_script_and_no_other_site_gets_it() {
        let plain = set("t", PLAIN).unwrap();
        assert_eq!(plain, "medic=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
        let tls = clear(TLS).unwrap();
        assert_eq!(tls, "__Host-medic=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }
}
