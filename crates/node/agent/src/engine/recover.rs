//! What a new agent concludes from what it finds on the machine, as events for the machine it restored.

use roadstead_base::Timestamp;

use super::event::{Event, Exit};
use super::machine::Machine;
use super::state::Status;

/// A container as the runtime has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Created,
    Running(Timestamp),
    /// With the time it had been started at, if it ever was.
    Exited(Option<Timestamp>, Exit),
}

/// The events that bring a restored machine up to the present. `find` answers by container name.
pub fn found(machine: &Machine, find: &dyn Fn(&str) -> Option<Found>, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    for container in &machine.task.containers {
        let state = &machine.state.containers[&container.name];
        if state.known == Status::Stopped {
            continue;
        }
        let name = container.name.clone();
        match find(&container.name) {
            // The end after which it was to run again: the run before has left it, and the next has not begun.
            Some(Found::Exited(_, exit))
                if state.restarts > 0
                    && state.known < Status::Running
                    && state.finished_at == Some(exit.at) => {}
            // Its shim may have ended it, or may be starting it: what it says last is what counts.
            Some(Found::Exited(started, exit)) => {
                let missed = started.filter(|_| state.known < Status::Running);
                events.extend(missed.map(|at| Event::FoundRunning {
                    container: name.clone(),
                    at,
                }));
                events.push(Event::Exited {
                    container: name,
                    exit,
                });
            }
            Some(Found::Running(at)) if state.known < Status::Running => {
                events.push(Event::FoundRunning { container: name, at });
            }
            Some(Found::Created) if !state.exists => events.push(Event::FoundCreated { container: name }),
            Some(Found::Running(_) | Found::Created) => {}
            None if state.known >= Status::Created => {
                let reason = "the container was gone when the agent came back".to_owned();
                let exit = Exit {
                    code: 137,
                    oom_killed: false,
                    at: now,
                    reason: Some(reason),
                };
                events.push(Event::Exited {
                    container: name,
                    exit,
                });
            }
            None => {}
        }
    }
    events
}
