//! People who sign in: their accounts, what each may do, and their sessions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AppName, Timestamp};

/// Why a text is no part of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error(
        "invalid account name \"{0}\": must be 1 to 64 of a-z, 0-9, -, . and _, beginning with a letter or digit"
    )]
    Name(String),
    #[error("unknown role \"{0}\": must be viewer, operator, service-admin, account-admin or owner")]
    Role(String),
    #[error("invalid e-mail address \"{0}\": must be name@domain, at most 254 characters, without spaces")]
    Email(String),
}

fn shorten(text: &str) -> String {
    crate::text::seen(text).chars().take(80).collect()
}

/// An account's name: 1 to 64 of `a-z`, `0-9`, `-`, `.` and `_`, beginning with a letter or digit. Capital letters are taken as
/// small ones, so that no two names differ by them alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct AccountName(String);

impl AccountName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let fits = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(takes);
        if fits { Ok(Self(text.to_ascii_lowercase())) } else { Err(AccountError::Name(shorten(text))) }
    }
}

impl TryFrom<String> for AccountName {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody may do, least first. Service and account administrators may do the same; they differ in who is told what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum AccountRole {
    /// Reads reports, but no logs, processes or configuration.
    Viewer,
    /// Restarts, resolves, and reads logs, processes and the configuration.
    Operator,
    /// Changes settings and rules.
    ServiceAdmin,
    /// The same.
    AccountAdmin,
    /// Changes custom actions as well; one for all apps also sees the accounts.
    Owner,
}

impl AccountRole {
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Operator, Self::ServiceAdmin, Self::AccountAdmin, Self::Owner];

    /// As it is typed and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::ServiceAdmin => "service-admin",
            Self::AccountAdmin => "account-admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for AccountRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for AccountRole {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| AccountError::Role(shorten(text)))
    }
}

/// Whose mails go there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct EmailAddress(String);

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let is_plain =
            |c: char| !c.is_whitespace() && !crate::text::is_unseen(c) && !"<>()[],;:\\\"".contains(c);
        let parts = text.split_once('@');
        let fits = text.chars().count() <= 254
            && text.chars().all(is_plain)
            && parts.is_some_and(|(name, domain)| {
                !name.is_empty() && !domain.is_empty() && !domain.contains('@')
            });
        if fits { Ok(Self(text.to_owned())) } else { Err(AccountError::Email(shorten(text))) }
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// One person who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Account {
    pub name: AccountName,
    pub email: Option<EmailAddress>,
    pub role: AccountRole,
    /// The apps that the role is for; none stand for all.
    pub apps: BTreeSet<AppName>,
    pub made: Timestamp,
    pub changed: Timestamp,
}

impl Account {
    /// Is the role for this app?
    pub fn is_for(&self, app: &AppName) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }

    /// Is it an owner for all apps?
    pub fn owns_all(&self) -> bool {
        self.role == AccountRole::Owner && self.apps.is_empty()
    }
}

/// A password as it is kept: an argon2id hash in PHC's form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub const fn new(phc: String) -> Self {
        Self(phc)
    }

    pub fn phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The SHA-256 of a session's token, in hexadecimal digits. Nobody signs in by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// From the digits.
    pub const fn new(digits: String) -> Self {
        Self(digits)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names it on pages and in the API: the first 16 digits.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

/// One browser or program that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub account: AccountName,
    pub made: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    /// From where the sign-in came.
    pub address: String,
    /// By which browser or program, in few words.
    pub agent: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_differ_by_more_than_capitals() {
        let name = |text: &str| text.parse::<AccountName>();
        assert_eq!(name("Alice.B-1_c").unwrap().as_str(), "alice.b-1_c");
        for text in ["", "-a", ".a", "a b", "a@b", "ä", "a\u{202e}", "a\n", &"a".repeat(65)] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn roles_are_ordered_and_written_in_one_way() {
        for pair in AccountRole::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for role in AccountRole::ALL {
            assert_eq!(role.word().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert!("Owner".parse::<AccountRole>().is_err());
    }

    #[test]
    fn an_address_cannot_write_a_header() {
        for text in ["a@example.org", "a+b@example.org", "ä@example.org"] {
            assert!(text.parse::<EmailAddress>().is_ok(), "{text}");
        }
        let long = format!("{}@b", "a".repeat(254));
        for text in ["a", "a@", "@b", "a@b@c", "a@b\r\nBcc: c", "a b@c", "<a@b>", "a,b@c", &long] {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_role_is_for_all_apps_or_for_some() {
        let mut account = Account {
            name: "a".parse().unwrap(),
            email: None,
            role: AccountRole::Owner,
            apps: BTreeSet::new(),
            made: Timestamp::from_ms(0),
            changed: Timestamp::from_ms(0),
        };
        let (shop, till): (AppName, AppName) = ("shop".parse().unwrap(), "till".parse().unwrap());
        assert!(account.is_for(&shop) && account.owns_all());
        account.apps.insert(shop.clone());
        assert!(account.is_for(&shop) && !account.is_for(&till) && !account.owns_all());
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$x".to_owned())), "***");
    }
}
