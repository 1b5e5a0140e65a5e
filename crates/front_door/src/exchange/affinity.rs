//! The `ARRAffinity` cookie, App Service's way to bring a client back to the instance that it was at.
//!
//! Its value says nothing but the instance and is the same for as long as the app has its name, so that a client stays at its
//! instance across restarts of the worker and of Medic. The cookie is passed on to the app, as App Service does.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};
use model::Place;

const NAME: &[u8] = b"ARRAffinity=";

/// An instance, as its clients' cookies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affinity([u8; 16]);

impl Affinity {
    /// 64-bit FNV-1a of `app/instance`, in hexadecimal digits: the same in every build of Medic, unlike std's hashes. An app's
    /// workers here are all on one node.
    pub(crate) fn of(Place { app, instance, .. }: &Place) -> Self {
        let hash = format!("{app}/{instance}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut digits = [0; 16];
        for (digit, shift) in digits.iter_mut().zip((0..16).rev()) {
            *digit = b"0123456789abcdef"[usize::try_from((hash >> (shift * 4)) & 15).unwrap_or(0)];
        }
        Self(digits)
    }

    /// What the client brought, if it looks like one of ours.
    pub(crate) fn in_request(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
            .find_map(|pair| pair.trim_ascii_start().strip_prefix(NAME))
            .and_then(|value| value.trim_ascii_end().try_into().ok())
            .map(Self)
    }

    /// The whole `Set-Cookie` value; a session cookie that scripts cannot read.
    pub(crate) fn set_cookie(self) -> HeaderValue {
        let line = [NAME, &self.0, b"; Path=/; HttpOnly; SameSite=Lax"].concat();
        HeaderValue::from_bytes(&line).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(index: u16) -> Place {
        Place { node: "node-a".parse().unwrap(), app: "shop".parse().unwrap(), instance: index }
    }

    fn request(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_str(cookie).unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_stable_and_tells_instances_apart() {
        assert_eq!(
            Affinity::of(&instance(0)).set_cookie(),
            "ARRAffinity=8bc61bfc9b1d9746; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_ne!(Affinity::of(&instance(0)), Affinity::of(&instance(1)));
    }

    #[test]
    fn it_is_found_among_others_and_nonsense_is_none() {
        let ours = Affinity::of(&instance(1));
        let value = String::from_utf8(ours.0.to_vec()).unwrap();
        for cookies in [
            &[&*format!("ARRAffinity={value}")] as &[&str],
            &[&format!("a=b; ARRAffinity={value} ; c=d")],
            &["a=b", &format!("x=y;ARRAffinity={value}")],
        ] {
            assert_eq!(Affinity::in_request(&request(cookies)), Some(ours), "{cookies:?}");
        }
        for cookies in
            [&[] as &[&str], &["ARRAffinity="], &["ARRAffinity=short"], &["NotARRAffinity=0123456789abcdef"]]
        {
            assert_eq!(Affinity::in_request(&request(cookies)), None, "{cookies:?}");
        }
    }
}
