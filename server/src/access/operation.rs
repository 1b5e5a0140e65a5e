//! What can be done, and who may do it: one table, which everything asks that decides.

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
    /// Settings and the configuration.
    SeeSettings,
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
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    UnknownSender,
    /// It runs a program as Medic's user.
    RunsProgram,
    /// It may hold personal data and secrets.
    PrivateOutput,
}

type Decision = Result<(), Denial>;

/// What each role may do.
struct Row {
    anybody: Decision,
    user: Decision,
    operator: Decision,
}

const READ: Row = Row { anybody: Ok(()), user: Ok(()), operator: Ok(()) };
const CHANGE: Row = Row { anybody: Err(Denial::UnknownSender), user: Ok(()), operator: Ok(()) };
const RUN_PROGRAM: Row =
    Row { anybody: Err(Denial::UnknownSender), user: Err(Denial::RunsProgram), operator: Ok(()) };
const READ_OUTPUT: Row =
    Row { anybody: Err(Denial::PrivateOutput), user: Err(Denial::PrivateOutput), operator: Ok(()) };

/// The table.
const fn row(operation: Operation) -> Row {
    match operation {
        Operation::SeeStatus
        | Operation::SeeReports
        | Operation::SeeProcesses
        | Operation::SeeCrashes
        | Operation::SeeSettings
        | Operation::SeeRules
        | Operation::SeeHistory
        | Operation::TryRules
        | Operation::SeeShares => READ,
        Operation::ChangeSettings
        | Operation::ChangeRules
        | Operation::ChangeIncidents
        | Operation::Resume
        | Operation::Restart
        | Operation::Share
        | Operation::EndShare => CHANGE,
        Operation::ChangeCustomAction => RUN_PROGRAM,
        Operation::SeeOutput => READ_OUTPUT,
    }
}

/// What the table says.
pub(super) const fn decide(operation: Operation, role: Role) -> Decision {
    let row = row(operation);
    match role {
        Role::Anybody => row.anybody,
        Role::User => row.user,
        Role::Operator => row.operator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Operation::{
            ChangeCustomAction, ChangeIncidents, ChangeRules, ChangeSettings, EndShare, Restart, Resume,
            SeeCrashes, SeeHistory, SeeOutput, SeeProcesses, SeeReports, SeeRules, SeeSettings, SeeShares,
            SeeStatus, Share, TryRules,
        };
        let all = [
            SeeStatus,
            SeeReports,
            SeeProcesses,
            SeeCrashes,
            SeeSettings,
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
        ];
        let line = |operation| {
            let decided =
                [Role::Anybody, Role::User, Role::Operator].map(|role| match decide(operation, role) {
                    Ok(()) => "allowed".to_owned(),
                    Err(denial) => format!("{denial:?}"),
                });
            format!("{operation:?}: {}\n", decided.join(", "))
        };
        let table: String = all.into_iter().map(line).collect();
        insta::assert_snapshot!(table, @"
        SeeStatus: allowed, allowed, allowed
        SeeReports: allowed, allowed, allowed
        SeeProcesses: allowed, allowed, allowed
        SeeCrashes: allowed, allowed, allowed
        SeeSettings: allowed, allowed, allowed
        SeeRules: allowed, allowed, allowed
        SeeHistory: allowed, allowed, allowed
        TryRules: allowed, allowed, allowed
        ChangeSettings: UnknownSender, allowed, allowed
        ChangeRules: UnknownSender, allowed, allowed
        ChangeIncidents: UnknownSender, allowed, allowed
        ChangeCustomAction: UnknownSender, RunsProgram, allowed
        Resume: UnknownSender, allowed, allowed
        Restart: UnknownSender, allowed, allowed
        SeeOutput: PrivateOutput, PrivateOutput, allowed
        Share: UnknownSender, allowed, allowed
        SeeShares: allowed, allowed, allowed
        EndShare: UnknownSender, allowed, allowed
        ");
    }
}
