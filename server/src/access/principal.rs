//! Who asks, once that is proven, and what they may do.

use std::sync::{Arc, LazyLock};

use app::ConsoleError;
use model::AppName;
use model::account::AccountRole;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::config::ActionType;

use super::operation::{Denial, Least, Operation, Role, decide};
use crate::accounts::Person;

const ROOT: u32 = 0;

/// Who asks. Only this module makes one, and the guard gives one to every request that it lets in; the console is had for a
/// principal alone (`console::Consoles`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Anybody,
    /// Nobody who has signed in, where everybody must.
    Stranger,
    Person(Arc<Person>),
    Operator {
        /// The user's number.
        user: u32,
    },
    User {
        /// The user's number.
        user: u32,
    },
}

impl Principal {
    /// Who `user` is to this Medic.
    pub(super) fn of(user: u32) -> Self {
        Self(if user == ROOT || Some(user) == *OWN { Kind::Operator { user } } else { Kind::User { user } })
    }

    /// Who only reads, which is everybody's.
    pub(super) const fn anybody() -> Self {
        Self(Kind::Anybody)
    }

    /// Who has not signed in, from the first account on.
    pub(super) const fn stranger() -> Self {
        Self(Kind::Stranger)
    }

    /// Who has.
    pub(super) fn person_of(person: Person) -> Self {
        Self(Kind::Person(Arc::new(person)))
    }

    pub const fn is_operator(&self) -> bool {
        matches!(self.0, Kind::Operator { .. })
    }

    /// Who has signed in.
    pub fn person(&self) -> Option<&Person> {
        match &self.0 {
            Kind::Person(person) => Some(person),
            _ => None,
        }
    }

    pub const fn is_stranger(&self) -> bool {
        matches!(self.0, Kind::Stranger)
    }

    /// The number of this machine's user, of one who is known by it.
    const fn user(&self) -> Option<u32> {
        match self.0 {
            Kind::Anybody | Kind::Stranger | Kind::Person(_) => None,
            Kind::Operator { user } | Kind::User { user } => Some(user),
        }
    }

    /// For Medic's log: `uid 1000`, `account alice`.
    pub(super) fn label(&self) -> String {
        match &self.0 {
            Kind::Anybody | Kind::Stranger => "nobody".to_owned(),
            Kind::Person(person) => format!("account {}", person.account.name),
            Kind::Operator { user } | Kind::User { user } => format!("uid {user}"),
        }
    }

    /// What a record says of who asked: `alice (uid 1000)`, or the number alone where the machine has no name for it.
    pub fn name(&self) -> Option<String> {
        if let Kind::Person(person) = &self.0 {
            return Some(person.account.name.to_string());
        }
        let user = self.user()?;
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Some(
            name_of(user, &users)
                .map_or_else(|| format!("uid {user}"), |name| format!("{name} (uid {user})")),
        )
    }

    /// Whether the table of operations lets this principal do that.
    pub fn may(&self, operation: Operation) -> Result<(), ConsoleError> {
        decide(operation, self.role()).map_err(|denial| ConsoleError::Forbidden(self.said(denial)))
    }

    /// The same of an app. One that this principal has no role for is as one that there is not.
    pub fn may_in(&self, operation: Operation, app: &AppName) -> Result<(), ConsoleError> {
        if self.sees(app) { self.may(operation) } else { Err(ConsoleError::NoSuchApp(app.clone())) }
    }

    /// Is there this app for them?
    pub fn sees(&self, app: &AppName) -> bool {
        self.person().is_none_or(|person| person.account.is_for(app))
    }

    /// Are there apps that they must not hear of?
    pub fn sees_all(&self) -> bool {
        self.person().is_none_or(|person| person.account.apps.is_empty())
    }

    /// What a person lacks for that.
    pub fn lacks(&self, operation: Operation) -> Option<AccountRole> {
        match decide(operation, self.role()) {
            Err(Denial::Lacks(least)) => Some(least.role),
            _ => None,
        }
    }

    /// Whether these rules may take the place of those that are `held`.
    pub fn may_save(&self, rules: &AutoHealConfig, held: &AutoHealConfig) -> Result<(), ConsoleError> {
        self.may(Operation::ChangeRules)?;
        if sets_custom_action(rules, held) { self.may(Operation::ChangeCustomAction) } else { Ok(()) }
    }

    fn sender(&self) -> String {
        self.user().map_or_else(|| "an unknown user".to_owned(), |user| format!("uid {user}"))
    }

    fn role(&self) -> Role {
        match &self.0 {
            Kind::Anybody => Role::Anybody,
            Kind::Stranger => Role::Stranger,
            Kind::Person(person) => {
                Role::Person { role: person.account.role, is_for_all: person.account.apps.is_empty() }
            }
            Kind::User { .. } => Role::User,
            Kind::Operator { .. } => Role::Operator,
        }
    }

    fn said(&self, denial: Denial) -> String {
        match denial {
            Denial::UnknownSender => "Change refused: the sender of the request is unknown.".to_owned(),
            Denial::NotSignedIn => "Sign in first.".to_owned(),
            Denial::Lacks(Least { role, for_all }) => {
                let needed = if for_all { format!("{role} for all apps") } else { role.to_string() };
                let own = self.person().map_or_else(String::new, |person| person.account.role.to_string());
                format!("Refused: requires the role {needed} (your role: {own}).")
            }
            Denial::PrivateOutput => {
                let own = OWN.map_or_else(String::new, |own| format!(" or uid {own}"));
                format!(
                    "Output refused: it may hold personal data, and {} sent the request. Open the page as root \
                     (uid 0){own} on this machine, without a proxy in between.",
                    self.sender()
                )
            }
            Denial::RunsProgram => {
                let user = self.sender();
                let own = OWN.map_or_else(String::new, |own| format!(" or uid {own}"));
                format!(
                    "Custom action refused: it runs a program as Medic's user, and {user} sent the request. Send it \
                     as root (uid 0){own}, or choose Recycle or LogEvent."
                )
            }
        }
    }
}

/// Whether a custom action is saved, changed or let be switched on. Switching it off is no change of it.
fn sets_custom_action(rules: &AutoHealConfig, held: &AutoHealConfig) -> bool {
    // parameters that are to be kept are those that are held
    let rules = rules.clone().keep_from(held).unwrap_or_else(|_| rules.clone());
    let (new, old) = (&rules.rules.actions, &held.rules.actions);
    let is_new = new.custom_action.is_some() && new.custom_action != old.custom_action;
    let is_chosen = new.action_type == ActionType::CustomAction;
    let is_kept_off = !rules.enabled && old.action_type == ActionType::CustomAction;
    is_new || (is_chosen && !is_kept_off)
}

/// The name before the third field of a line of `/etc/passwd`.
fn name_of(user: u32, users: &str) -> Option<String> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let found =
        users.lines().map(fields).find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(user)))?;
    Some(model::text::seen(found.first()?).into_owned())
}

/// Medic's own user. Unknown where it is the number that stands for every user that this user namespace does not have: there
/// it tells nobody apart.
static OWN: LazyLock<Option<u32>> = LazyLock::new(|| {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let overflow = read("/proc/sys/kernel/overflowuid").trim().parse().unwrap_or(65_534);
    own_user(&read("/proc/self/status"), &read("/proc/self/uid_map"), overflow)
});

/// The effective one: what opens a socket is owned by it.
fn own_user(status: &str, uid_map: &str, overflow: u32) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let user = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let has_all = uid_map.split_ascii_whitespace().eq(["0", "0", "4294967295"]);
    (user != overflow || has_all).then_some(user)
}

#[cfg(test)]
mod tests {
    use model::account::{Account, SessionId};
    use model::auto_heal::config::Parameters;

    use super::*;

    fn person(role: AccountRole, apps: &[&str]) -> Principal {
        let account = Account {
            name: "alice".parse().unwrap(),
            email: None,
            role,
            apps: apps.iter().map(|app| app.parse().unwrap()).collect(),
            made: model::Timestamp::from_ms(0),
            changed: model::Timestamp::from_ms(0),
        };
        Principal::person_of(Person { account, session: SessionId::new(String::new()) })
    }

    #[test]
    fn a_foreign_app_is_as_one_that_there_is_not_and_a_missing_role_is_named() {
        let viewer = person(AccountRole::Viewer, &["shop"]);
        let (shop, till): (AppName, AppName) = ("shop".parse().unwrap(), "till".parse().unwrap());
        assert_eq!(viewer.may_in(Operation::SeeReports, &shop), Ok(()));
        assert_eq!(viewer.may_in(Operation::SeeReports, &till), Err(ConsoleError::NoSuchApp(till.clone())));
        assert_eq!(viewer.may_in(Operation::Restart, &till), Err(ConsoleError::NoSuchApp(till)));
        let refused = "Refused: requires the role operator (your role: viewer).".to_owned();
        assert_eq!(viewer.may_in(Operation::Restart, &shop), Err(ConsoleError::Forbidden(refused)));
        assert_eq!(viewer.lacks(Operation::Restart), Some(AccountRole::Operator));
        assert_eq!(
            person(AccountRole::Owner, &["shop"]).lacks(Operation::SeeAccounts),
            Some(AccountRole::Owner)
        );
        assert_eq!(person(AccountRole::Owner, &[]).lacks(Operation::SeeAccounts), None);
        assert_eq!(viewer.name().as_deref(), Some("alice"));
        assert!(Principal::stranger().may(Operation::SeeStatus).is_err());
    }

    #[test]
    fn a_custom_action_is_an_owners() {
        let (none, custom) = (AutoHealConfig::default(), rules(true, "CustomAction", Some("/a")));
        assert!(person(AccountRole::AccountAdmin, &[]).may_save(&custom, &none).is_err());
        assert!(
            person(AccountRole::AccountAdmin, &[]).may_save(&rules(true, "Recycle", None), &none).is_ok()
        );
        assert!(person(AccountRole::Owner, &["shop"]).may_save(&custom, &none).is_ok());
    }

    fn rules(enabled: bool, action: &str, exe: Option<&str>) -> AutoHealConfig {
        let custom = exe.map(|exe| format!(r#", "custom_action": {{"exe": "{exe}"}}"#)).unwrap_or_default();
        serde_json::from_str(&format!(
            r#"{{"enabled": {enabled}, "rules": {{"triggers": {{"private_bytes_kib": 200000}},
                "actions": {{"action_type": "{action}"{custom}}}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_custom_action_is_the_operators() {
        let none = AutoHealConfig::default();
        let (held, dormant) = (rules(false, "CustomAction", Some("/a")), rules(true, "Recycle", Some("/a")));
        let cases = [
            ("no custom action", rules(true, "Recycle", None), &none, true),
            ("saved", rules(true, "CustomAction", Some("/a")), &none, false),
            ("saved, but not switched on", rules(false, "CustomAction", Some("/a")), &none, false),
            ("laid ready for another to choose", rules(true, "Recycle", Some("/a")), &none, false),
            ("switched on", rules(true, "CustomAction", Some("/a")), &held, false),
            ("another program", rules(false, "CustomAction", Some("/b")), &held, false),
            ("left switched off", rules(false, "CustomAction", Some("/a")), &held, true),
            (
                "switched off",
                rules(false, "CustomAction", Some("/a")),
                &rules(true, "CustomAction", Some("/a")),
                true,
            ),
            (
                "another trigger for what is on",
                rules(true, "CustomAction", Some("/a")),
                &rules(true, "CustomAction", Some("/a")),
                false,
            ),
            ("another action instead", rules(true, "LogEvent", Some("/a")), &held, true),
            ("removed", rules(true, "Recycle", None), &held, true),
            ("chosen again", rules(true, "CustomAction", Some("/a")), &dormant, false),
            ("chosen again, but not switched on", rules(false, "CustomAction", Some("/a")), &dormant, false),
            ("left as it was beside other rules", rules(false, "Recycle", Some("/a")), &dormant, true),
        ];
        let with = |rules: &AutoHealConfig, parameters: &str| {
            let mut rules = rules.clone();
            let action = rules.rules.actions.custom_action.as_mut().unwrap();
            action.parameters = Parameters::new(parameters);
            rules
        };
        let secret = with(&held, "--token hunter2");
        let cases = cases.into_iter().chain([
            ("left switched off as it is shown", with(&held, "***"), &secret, true),
            ("other parameters", with(&held, "--token other"), &secret, false),
            ("without its parameters", with(&held, ""), &secret, false),
        ]);
        for (what, new, old, allowed) in cases {
            let user = Principal(Kind::User { user: 1_000 });
            assert_eq!(user.may_save(&new, old).is_ok(), allowed, "{what}");
            assert!(Principal(Kind::Operator { user: 0 }).may_save(&new, old).is_ok(), "{what}");
        }
    }

    #[test]
    fn anybody_changes_nothing_and_has_no_name() {
        let anybody = Principal::anybody();
        assert!(anybody.may(Operation::ChangeSettings).is_err() && anybody.name().is_none());
        let none = AutoHealConfig::default();
        assert!(anybody.may_save(&none, &none).is_err());
        assert!(Principal::of(1_000).may(Operation::ChangeSettings).is_ok());
    }

    #[test]
    fn a_record_names_a_user_by_what_the_machine_calls_them() {
        let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbroken\n";
        assert_eq!(name_of(1_000, users).as_deref(), Some("alice"));
        assert_eq!(name_of(7, users), None);
        assert!(Principal::of(0).name().unwrap().ends_with("(uid 0)"));
    }

    #[test]
    fn root_and_medics_own_user_are_operators() {
        assert_eq!(Principal::of(0), Principal(Kind::Operator { user: 0 }));
        let own = OWN.unwrap();
        assert_eq!(Principal::of(own), Principal(Kind::Operator { user: own }));
        assert_eq!(Principal::of(own + 7), Principal(Kind::User { user: own + 7 }));
    }

    #[test]
    fn the_user_that_stands_for_unknown_ones_is_nobodys_equal() {
        let status = |user: u32| format!("Name:\tmedic\nUid:\t0\t{user}\t0\t0\nGid:\t0\n");
        let whole = "         0          0 4294967295\n";
        let part = "         0     100000      65536\n";
        assert_eq!(own_user(&status(1_000), whole, 65_534), Some(1_000));
        assert_eq!(own_user(&status(1_000), part, 65_534), Some(1_000));
        assert_eq!(own_user(&status(65_534), whole, 65_534), Some(65_534));
        assert_eq!(own_user(&status(65_534), part, 65_534), None);
        assert_eq!(own_user("", whole, 65_534), None);
    }
}
