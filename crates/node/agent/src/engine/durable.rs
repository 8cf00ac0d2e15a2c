//! When a task's state has to be on disk before anything is done. Writing less makes a launch faster; what is not
//! written must be found again on the machine itself, or be made anew without harm.

use super::event::Effect;
use super::machine::Machine;
use super::state::Status;

/// What of a state must not be lost: what is wanted, what ended, what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    stopping: bool,
    ended: usize,
    restarts: u32,
    told: u64,
    untold: usize,
    finished: bool,
}

impl Weight {
    pub fn of(machine: &Machine) -> Self {
        let state = &machine.state;
        let ended = state
            .containers
            .values()
            .filter(|container| container.known == Status::Stopped)
            .count();
        Self {
            stopping: state.stop.is_some(),
            ended,
            restarts: state
                .containers
                .values()
                .map(|container| container.restarts)
                .sum(),
            told: state.next_change,
            untold: state.outbox.len(),
            finished: state.finished_at.is_some(),
        }
    }

    /// Whether the state after a step has to be written before its effects are brought about. `self` is the weight
    /// before the step.
    pub fn must_be_written(self, after: &Machine, effects: &[Effect]) -> bool {
        self != Self::of(after) || effects.iter().any(cannot_be_found_again)
    }
}

/// An agent that died before the answer must find in its records that this was about to be done. What a pull, a
/// network or a created container left is found on the machine, where whatever no record explains is removed.
fn cannot_be_found_again(effect: &Effect) -> bool {
    match effect {
        Effect::Start { .. }
        | Effect::Signal { .. }
        | Effect::Delete { .. }
        | Effect::NetworkDown
        | Effect::Finish => true,
        Effect::Admit
        | Effect::Pull { .. }
        | Effect::CancelPull { .. }
        | Effect::NetworkUp
        | Effect::CancelNetwork
        | Effect::Create { .. }
        | Effect::Check { .. }
        | Effect::Release => false,
    }
}
