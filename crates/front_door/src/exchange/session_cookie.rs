//! The cookie of a session on Medic's dashboard. Browsers send it to every port of its host, apps' among them, and whoever has it is
//! that person: no worker gets it.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};

/// Its names, over plain HTTP and over https.
const NAMES: [&[u8]; 2] = [b"medic", b"__Host-medic"];

/// Takes it out of a request; what is beside it stays.
pub(crate) fn remove(headers: &mut HeaderMap) {
    let lines = || headers.get_all(COOKIE).iter();
    if !lines().any(|line| pairs(line).any(is_of_session)) {
        return;
    }
    let kept = lines().filter_map(|line| {
        let kept: Vec<&[u8]> = pairs(line).filter(|pair| !is_of_session(pair)).collect();
        (!kept.is_empty()).then(|| HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok()).flatten()
    });
    let kept: Vec<HeaderValue> = kept.collect();
    headers.remove(COOKIE);
    for line in kept {
        headers.append(COOKIE, line);
    }
}

fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn is_of_session(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_gets_it_and_everything_else_stays() {
        let left = |lines: &[&'static [u8]]| {
            let value = |line: &&'static [u8]| (COOKIE, HeaderValue::from_bytes(line).unwrap());
            let mut headers: HeaderMap = lines.iter().map(value).collect();
            remove(&mut headers);
            headers.get_all(COOKIE).iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(left(&[b"a=b; medic=1; c=\xff"]), [b"a=b; c=\xff".to_vec()]);
        assert_eq!(left(&[b"__Host-medic=1", b"x=y;  z"]), [b"x=y; z".to_vec()]);
        assert_eq!(left(&[b"medic = 1;medic=2"]), Vec::<Vec<u8>>::new());
        for others in [&b"a=b;c=d"[..], b"xmedic=1", b"medical=1", b"a=medic=1", b"Medic=1"] {
            assert_eq!(left(&[others]), [others.to_vec()], "it is left as it came");
        }
    }
}
