//! What can be done, and who may do it: one table, which everything asks that decides.

use app::Action;
use model::account::AccountRole;

/// What somebody may want to do. What is not of any app or person (the time, this machine's name) is no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// What is true now: states, verdicts, whether Medic itself is well.
    SeeStatus,
    /// What detectors say.
    SeeReports,
    /// An app's processes, one by one.
    SeeProcesses,
    /// Crashes and incidents, with their stack traces.
    SeeCrashes,
    /// Which features are on.
    SeeSettings,
    /// The effective configuration.
    SeeConfiguration,
    /// The custom rules and what the proactive ones go by.
    SeeRules,
    /// Restarts, what auto-heal did, and who changed what.
    SeeHistory,
    /// What rules would have done; saves nothing.
    TryRules,
    ChangeSettings,
    ChangeRules,
    /// Resolve an incident, ignore it for a time, open it again.
    ChangeIncidents,
    /// A custom action is a program that Medic runs as its own user.
    ChangeCustomAction,
    /// Proactive rules go on after the restart limit.
    Resume,
    /// Replace a worker.
    Restart,
    /// What workers wrote: an app may write anything there.
    SeeOutput,
    /// Make a link by which anybody reads a snapshot.
    Share,
    /// Which links there are, whose, and how often they were opened.
    SeeShares,
    /// Revoke a link.
    EndShare,
    /// Who may sign in, and what they may do.
    SeeAccounts,
    ChangeAccounts,
}

/// What a page offers, as a row of the table.
impl From<Action> for Operation {
    fn from(action: Action) -> Self {
        match action {
            Action::Restart => Self::Restart,
            Action::ChangeIncidents => Self::ChangeIncidents,
            Action::ChangeSettings => Self::ChangeSettings,
            Action::ChangeRules => Self::ChangeRules,
            Action::ChangeCustomAction => Self::ChangeCustomAction,
            Action::Resume => Self::Resume,
            Action::SeeOutput => Self::SeeOutput,
            Action::SeeConfiguration => Self::SeeConfiguration,
            Action::SeeAccounts => Self::SeeAccounts,
            Action::Share => Self::Share,
        }
    }
}

/// Who somebody is to this Medic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Anybody who reaches the loopback address: nobody proved who it is.
    Anybody,
    /// A known user of this machine.
    User,
    /// Medic's own user or root: whoever is either can do anything in Medic's name without asking it.
    Operator,
    /// Nobody who has signed in, where everybody must.
    Stranger,
    /// Somebody who has.
    Person { role: AccountRole, is_for_all: bool },
}

/// What a person needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    pub role: AccountRole,
    /// For all apps.
    pub for_all: bool,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    UnknownSender,
    /// It runs a program as Medic's user.
    RunsProgram,
    /// It may hold personal data and secrets.
    PrivateOutput,
    NotSignedIn,
    Lacks(Least),
}

type Decision = Result<(), Denial>;

/// Who of this machine may do it while there is no account, and what a person needs from then on.
struct Row {
    anybody: Decision,
    user: Decision,
    operator: Decision,
    person: Least,
}

const fn least(role: AccountRole) -> Least {
    Least { role, for_all: false }
}

const fn read(role: AccountRole) -> Row {
    Row { anybody: Ok(()), user: Ok(()), operator: Ok(()), person: least(role) }
}

const fn change(role: AccountRole) -> Row {
    Row { anybody: Err(Denial::UnknownSender), user: Ok(()), operator: Ok(()), person: least(role) }
}

const fn run_program(person: Least) -> Row {
    Row { anybody: Err(Denial::UnknownSender), user: Err(Denial::RunsProgram), operator: Ok(()), person }
}

const fn private(person: Least) -> Row {
    Row { anybody: Err(Denial::PrivateOutput), user: Err(Denial::PrivateOutput), operator: Ok(()), person }
}

const OWNER_FOR_ALL: Least = Least { role: AccountRole::Owner, for_all: true };

/// The table.
const fn row(operation: Operation) -> Row {
    match operation {
        Operation::SeeStatus
        | Operation::SeeReports
        | Operation::SeeCrashes
        | Operation::SeeSettings
        | Operation::SeeRules
        | Operation::SeeHistory
        | Operation::TryRules => read(AccountRole::Viewer),
        Operation::SeeProcesses | Operation::SeeConfiguration | Operation::SeeShares => {
            read(AccountRole::Operator)
        }
        Operation::ChangeIncidents
        | Operation::Resume
        | Operation::Restart
        | Operation::Share
        | Operation::EndShare => change(AccountRole::Operator),
        Operation::ChangeSettings | Operation::ChangeRules => change(AccountRole::ServiceAdmin),
        Operation::ChangeCustomAction => run_program(least(AccountRole::Owner)),
        Operation::SeeOutput => private(least(AccountRole::Operator)),
        Operation::SeeAccounts => read(OWNER_FOR_ALL.role).with(OWNER_FOR_ALL),
        // an owner may have Medic run a program as its user
        Operation::ChangeAccounts => run_program(OWNER_FOR_ALL),
    }
}

impl Row {
    const fn with(self, person: Least) -> Self {
        let Self { anybody, user, operator, .. } = self;
        Self { anybody, user, operator, person }
    }
}

/// What the table says.
pub(super) const fn decide(operation: Operation, role: Role) -> Decision {
    let row = row(operation);
    match role {
        Role::Anybody => row.anybody,
        Role::User => row.user,
        Role::Operator => row.operator,
        Role::Stranger => Err(Denial::NotSignedIn),
        Role::Person { role, is_for_all } => {
            if role as u8 >= row.person.role as u8 && (is_for_all || !row.person.for_all) {
                Ok(())
            } else {
                Err(Denial::Lacks(row.person))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Operation::{
            ChangeAccounts, ChangeCustomAction, ChangeIncidents, ChangeRules, ChangeSettings, EndShare,
            Restart, Resume, SeeAccounts, SeeConfiguration, SeeCrashes, SeeHistory, SeeOutput, SeeProcesses,
            SeeReports, SeeRules, SeeSettings, SeeShares, SeeStatus, Share, TryRules,
        };
        let all = [
            SeeStatus,
            SeeReports,
            SeeProcesses,
            SeeCrashes,
            SeeSettings,
            SeeConfiguration,
            SeeRules,
            SeeHistory,
            TryRules,
            ChangeSettings,
            ChangeRules,
            ChangeIncidents,
            ChangeCustomAction,
            Resume,
            Restart,
            SeeOutput,
            Share,
            SeeShares,
            EndShare,
            SeeAccounts,
            ChangeAccounts,
        ];
        let line = |operation| {
            let decided =
                [Role::Anybody, Role::User, Role::Operator].map(|role| match decide(operation, role) {
                    Ok(()) => "allowed".to_owned(),
                    Err(denial) => format!("{denial:?}"),
                });
            let Least { role, for_all } = row(operation).person;
            let person = if for_all { format!("{role} for all apps") } else { role.to_string() };
            format!("{operation:?}: {}, {person}\n", decided.join(", "))
        };
        let table: String = all.into_iter().map(line).collect();
        insta::assert_snapshot!(table, @"
        SeeStatus: allowed, allowed, allowed, viewer
        SeeReports: allowed, allowed, allowed, viewer
        SeeProcesses: allowed, allowed, allowed, operator
        SeeCrashes: allowed, allowed, allowed, viewer
        SeeSettings: allowed, allowed, allowed, viewer
        SeeConfiguration: allowed, allowed, allowed, operator
        SeeRules: allowed, allowed, allowed, viewer
        SeeHistory: allowed, allowed, allowed, viewer
        TryRules: allowed, allowed, allowed, viewer
        ChangeSettings: UnknownSender, allowed, allowed, service-admin
        ChangeRules: UnknownSender, allowed, allowed, service-admin
        ChangeIncidents: UnknownSender, allowed, allowed, operator
        ChangeCustomAction: UnknownSender, RunsProgram, allowed, owner
        Resume: UnknownSender, allowed, allowed, operator
        Restart: UnknownSender, allowed, allowed, operator
        SeeOutput: PrivateOutput, PrivateOutput, allowed, operator
        Share: UnknownSender, allowed, allowed, operator
        SeeShares: allowed, allowed, allowed, operator
        EndShare: UnknownSender, allowed, allowed, operator
        SeeAccounts: allowed, allowed, allowed, owner for all apps
        ChangeAccounts: UnknownSender, RunsProgram, allowed, owner for all apps
        ");
    }

    #[test]
    fn a_person_needs_the_least_role_and_a_stranger_may_nothing() {
        let may = |operation, role, is_for_all| decide(operation, Role::Person { role, is_for_all });
        for role in AccountRole::ALL {
            let is_admin = role >= AccountRole::ServiceAdmin;
            assert_eq!(may(Operation::ChangeRules, role, false).is_ok(), is_admin, "{role}");
            assert_eq!(may(Operation::SeeStatus, role, false), Ok(()));
            assert_eq!(may(Operation::SeeAccounts, role, true).is_ok(), role == AccountRole::Owner, "{role}");
            assert_eq!(may(Operation::ChangeAccounts, role, false), Err(Denial::Lacks(OWNER_FOR_ALL)));
        }
        assert_eq!(decide(Operation::SeeStatus, Role::Stranger), Err(Denial::NotSignedIn));
    }
}
