//! Whose processes an app's workers are: `user`, `group`, `umask` and `limits`.

use shim::protocol::{Identity, ResourceLimits};

use super::reader::{Reader, Section};
use super::values::{Raw, count, got, text};

/// Which permissions new files do not have where nothing is set: the usual mask of a service.
const UMASK: &str = "022";

/// An app's workers and custom actions run so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    /// Another user than Medic's own, where one is set.
    pub account: Option<Account>,
    pub umask: u32,
    pub limits: ResourceLimits,
}

/// The user whose processes they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub home: String,
    pub shell: String,
    pub identity: Identity,
}

impl RunAs {
    /// The privileged user.
    pub fn is_root(&self) -> bool {
        self.account.as_ref().map_or_else(shim::own_user, |account| account.identity.user) == 0
    }

    /// What Medic needs a right for that it may not have.
    pub fn changes_user(&self) -> bool {
        let is_own = |identity: &Identity| {
            identity.user == shim::own_user() && identity.group == shim::own_group() && identity.user != 0
        };
        self.account.as_ref().is_some_and(|account| !is_own(&account.identity))
    }

    /// Who a worker is to become, where that is not who Medic is already.
    pub fn identity(&self) -> Option<Identity> {
        self.account.as_ref().filter(|_| self.changes_user()).map(|account| account.identity.clone())
    }

    /// Set in any way that makes a worker another one than if nothing were set.
    pub fn is_set(&self) -> bool {
        self.account.is_some()
            || format!("{:03o}", self.umask) != UMASK
            || self.limits != ResourceLimits::default()
    }
}

/// Reads them.
pub(super) fn read<'t>(reader: &mut Reader<'t>, section: &mut Section<'t>) -> RunAs {
    let user = reader.or(section, "user", "", text);
    let group = reader.or(section, "group", "", text);
    let umask = reader.or(section, "umask", UMASK, umask);
    let mut limits = reader.section(section, "limits");
    let one = |reader: &mut Reader<'t>, limits: &mut Section<'t>, key| {
        reader.optional(limits, key, count::<u64>(1, i64::from(i32::MAX)))
    };
    let limits = ResourceLimits {
        open_files: one(reader, &mut limits, "open_files"),
        processes: one(reader, &mut limits, "processes"),
    };
    let account = account(reader, section, &user, &group);
    let run_as = RunAs { account, umask, limits };
    if run_as.changes_user() && !shim::may_change_user() {
        let own = shim::own_user();
        let what = format!(
            "Medic may not run workers as \"{user}\", because it has no right to change users (it runs as uid {own})"
        );
        let remedy = "run Medic as root (CAP_SETUID, CAP_SETGID and CAP_KILL), or remove user".to_owned();
        reader.complain(section, "user", what, remedy);
    }
    if run_as.is_root() {
        let what = "the app's workers run as root, with all rights on this machine".to_owned();
        let remedy = "set user to an account of its own, such as \"www-data\"".to_owned();
        reader.doubt(section, "user", what, remedy);
    }
    run_as
}

fn account<'t>(reader: &mut Reader<'t>, section: &Section<'t>, user: &str, group: &str) -> Option<Account> {
    if user.is_empty() {
        if !group.is_empty() {
            let what = "needs user".to_owned();
            reader.complain(section, "group", what, "set user, or remove group".to_owned());
        }
        return None;
    }
    let found = match shim::account(user) {
        Ok(Some(found)) => found,
        refused => {
            let why = refused.err().map_or_else(String::new, |error| format!(": {error}"));
            let what = format!("user \"{user}\" not found{why}");
            reader.complain(section, "user", what, format!("create it: useradd --system {user}"));
            return None;
        }
    };
    let primary = if group.is_empty() { Ok(Some(found.group)) } else { shim::group(group) };
    let Ok(Some(primary)) = primary else {
        let what = format!("group \"{group}\" not found");
        reader.complain(section, "group", what, format!("create it: groupadd --system {group}"));
        return None;
    };
    let groups = shim::groups_of(&found, primary).unwrap_or_else(|_| vec![primary]);
    let identity = Identity { user: found.user, group: primary, groups };
    Some(Account { name: found.name, home: found.home, shell: found.shell, identity })
}

/// `"027"`: octal digits, as chmod(1) takes them.
fn umask(raw: &Raw) -> Result<u32, String> {
    let refused =
        || format!("must be octal digits in quotation marks, \"000\" to \"777\" (got {})", got(raw));
    let digits = text(raw).map_err(|_| refused())?;
    let mask = u32::from_str_radix(&digits, 8).ok().filter(|mask| *mask <= 0o777);
    mask.filter(|_| (1..=4).contains(&digits.len())).ok_or_else(refused)
}
