//! What clients ask.

use super::Shim;
use super::post_mortem::PostMortem;
use crate::client::{Client, Unknown};
use crate::protocol::{FromShim, LINE_LIMIT, Request, ToShim, VERSION};
use crate::tracer::Tracer;

/// What `Tail` answers at most, in bytes of JSON.
const TAIL_LIMIT_BYTES: usize = LINE_LIMIT / 2;

impl Shim {
    /// The first client stays while it lives: a second one would otherwise take the worker from a server that is at work. One
    /// that has hung up, or whose process has ended, gives way. (A server that hangs holds its data folder, so no other comes.)
    pub(super) fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(mut client) = Client::new(stream) else { continue };
            // what it still said counts, and this is how its end is noticed
            self.hear();
            if let Some(first) = self.client.as_ref().filter(|first| !first.is_lost()) {
                client.send(&FromShim::Busy { pid: first.pid() });
                continue;
            }
            client.send(&self.state());
            if let Some(reason) = &self.refusal {
                client.send(&FromShim::ArmRefused { reason: reason.clone() });
            }
            for captured in self.captured.values().filter(|captured| captured.is_told) {
                client.send(&captured.message);
            }
            for message in self.children.messages() {
                client.send(message);
            }
            for message in self.post_mortem.iter().flat_map(PostMortem::messages) {
                client.send(message);
            }
            self.client = Some(client);
        }
    }

    /// Deals with what the client asked since the last time.
    pub(super) fn hear(&mut self) {
        let Some(client) = &mut self.client else { return };
        client.flush();
        for request in client.requests() {
            match request {
                Ok(Request { id, what }) => self.answer(id, &what),
                Err(Unknown { id, reason }) => self.reply(id, &FromShim::Refused { reason }),
            }
        }
    }

    fn reply(&mut self, re: Option<u64>, message: &FromShim) {
        if let Some(client) = &mut self.client {
            client.answer(re, message);
        }
    }

    /// Whoever gave its request a number wants to know that it was heard.
    fn done(&mut self, re: Option<u64>) {
        if re.is_some() {
            self.reply(re, &FromShim::Done);
        }
    }

    pub(super) fn state(&self) -> FromShim {
        FromShim::State {
            worker: self.spec.worker.clone(),
            pid: u32::try_from(self.worker.pid).unwrap_or(0),
            started_at: self.worker.started_at,
            port: self.spec.port,
            spec_hash: self.spec.spec_hash.clone(),
            armed: self.is_armed(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: VERSION,
            shim_pid: Some(std::process::id()),
            warm: self.worker.warm,
            address: self.worker.address,
            asked: self.asked.to_end,
        }
    }

    pub(super) fn is_armed(&self) -> bool {
        self.tracer.as_ref().is_some_and(|tracer| !tracer.is_leaving())
    }

    fn answer(&mut self, re: Option<u64>, request: &ToShim) {
        match *request {
            ToShim::Arm => self.arm(re),
            ToShim::Disarm => {
                if let Some(tracer) = &mut self.tracer {
                    tracer.detach(&mut self.serving);
                    self.changes_left = true;
                }
                self.refusal = None;
                self.reply(re, &FromShim::Disarmed);
            }
            ToShim::Signal { signal } => {
                self.signal_worker(signal);
                self.done(re);
            }
            ToShim::Tail { lines } => {
                let lines = fitting(self.output.last_lines(lines));
                self.reply(re, &FromShim::Tail { lines });
            }
            ToShim::Warm { address } => {
                self.worker.warm = true;
                self.worker.address = address;
                // who serves is there by now, and may die of its first request
                self.serving.look_at_all();
                self.follow_serving();
                self.done(re);
            }
            ToShim::Watch { processes } => {
                self.serving.watch(processes);
                self.done(re);
            }
            ToShim::Serving => {
                let processes = self.serving.others();
                self.reply(re, &FromShim::Serving { processes });
            }
            ToShim::TakeBack { ref from } => {
                let from = self.serving.take_back(from);
                self.reply(re, &FromShim::TakenBack { from });
            }
            ToShim::AcknowledgeChild { process } => {
                self.children.forget(process);
                self.done(re);
            }
            ToShim::Acknowledge => {
                // one that comes before everything is known would lose the rest
                self.acknowledged = self.post_mortem.as_ref().is_some_and(PostMortem::is_settled);
                self.done(re);
            }
        }
    }

    fn arm(&mut self, re: Option<u64>) {
        self.refusal = if self.post_mortem.is_some() {
            Some("the worker has ended".to_owned())
        } else if self.is_armed() {
            None
        } else if self.tracer.is_some() {
            Some("the debugger is still being detached; ask again in a moment".to_owned())
        } else {
            match Tracer::attach(self.worker.pid, &mut self.serving, self.clock) {
                Ok(tracer) => {
                    self.tracer = Some(tracer);
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        };
        self.changes_left = true;
        let refusal = self.refusal.clone();
        self.reply(re, &refusal.map_or(FromShim::Armed, |reason| FromShim::ArmRefused { reason }));
    }
}

/// The newest lines that fit into a message. Control characters take six bytes each in JSON.
fn fitting(lines: Vec<String>) -> Vec<String> {
    let mut room = TAIL_LIMIT_BYTES;
    let mut newest: Vec<String> = lines
        .into_iter()
        .rev()
        .take_while(|line| {
            let size = serde_json::to_string(line).map_or(usize::MAX, |json| json.len() + 1);
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        })
        .collect();
    newest.reverse();
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_of_control_characters_stays_below_the_line_limit() {
        let lines: Vec<String> = (0..200).map(|_| "\u{1b}".repeat(2_048)).collect();
        let kept = fitting(lines);
        assert!(kept.len() > 10 && serde_json::to_string(&kept).unwrap().len() < LINE_LIMIT);
        assert_eq!(fitting(vec!["a".to_owned(), "b".to_owned()]), ["a", "b"]);
    }
}
