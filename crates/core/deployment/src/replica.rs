//! REPLICA: as many as desired, wherever they fit.

use crate::failure;
use crate::model::{Plan, Rollout, Snapshot, Start, Stop, Task, Why};
use crate::scale_in::{lacking, victims};

pub(crate) fn plan(snapshot: &Snapshot, desired: usize) -> Plan {
    let live: Vec<&Task> = snapshot.tasks.iter().collect();
    let mut budget = Budget {
        healthy: live.iter().filter(|task| task.is_healthy(snapshot)).count(),
        least: snapshot.bounds.least(desired),
        stop: Vec::new(),
    };
    if snapshot.primary.rollout == Rollout::Failed {
        // Nothing is started, and what ran before keeps running.
        scale_in(snapshot, &live, desired, &mut budget);
        return Plan {
            stop: budget.stop,
            ..Plan::default()
        };
    }
    let staying = |task: &Task| {
        let leaving = task.leaving && !task.is_protected(snapshot.now);
        snapshot.is_primary(task) && !leaving && !task.is_sick(snapshot)
    };
    let good: Vec<&Task> = live.iter().copied().filter(|task| staying(task)).collect();
    let going: Vec<&Task> = live.iter().copied().filter(|task| !staying(task)).collect();
    let room = snapshot.bounds.most(desired).saturating_sub(live.len());
    let wanted = desired.saturating_sub(good.len());

    let mut plan = Plan::default();
    let waiting = held_back(snapshot);
    if wanted > 0 && room > 0 {
        match waiting {
            Some(wait) => plan.wait_for_start = Some(wait),
            None => plan.start = Some(Start::Anywhere(wanted.min(room))),
        }
    }
    scale_in(snapshot, &good, desired, &mut budget);
    let none_short = wanted == 0 && good.iter().all(|task| task.is_healthy(snapshot));
    for task in &going {
        let why = why(snapshot, task);
        let replaced = match why {
            // There is no use in waiting for the rest of what nobody uses.
            Why::Replaced | Why::Leaving | Why::ScaleIn => !task.is_healthy(snapshot),
            // Its replacement goes first, if there is room for one.
            Why::Unhealthy => none_short || room == 0 || snapshot.cramped,
        };
        if replaced && !(why != Why::Unhealthy && task.is_protected(snapshot.now)) {
            budget.stop(snapshot, task, why);
        }
    }
    // Healthy ones go as far as there are more than desired; further, down to the least, only to make room.
    let beyond = budget.healthy.saturating_sub(desired);
    let short = if snapshot.cramped {
        wanted
    } else {
        wanted.saturating_sub(room)
    };
    let mut may_go = beyond.max(short);
    for task in oldest_first(&going) {
        if may_go > 0
            && task.is_healthy(snapshot)
            && !task.is_protected(snapshot.now)
            && budget.stop(snapshot, task, why(snapshot, task))
        {
            may_go -= 1;
        }
    }
    if going.is_empty()
        && good.len() == desired
        && room > 0
        && none_short
        && let Some(zone) = lacking(snapshot, &good)
    {
        match waiting {
            Some(wait) => plan.wait_for_start = Some(wait),
            None => plan.start = Some(Start::In(zone)),
        }
    }
    plan.stop = budget.stop;
    plan
}

fn why(snapshot: &Snapshot, task: &Task) -> Why {
    if !snapshot.is_primary(task) {
        Why::Replaced
    } else if task.is_sick(snapshot) {
        Why::Unhealthy
    } else {
        Why::Leaving
    }
}

fn oldest_first<'t>(tasks: &[&'t Task]) -> Vec<&'t Task> {
    let mut tasks = tasks.to_vec();
    tasks.sort_by_key(|task| (task.created, task.id.clone()));
    tasks
}

/// Milliseconds for which setbacks still hold starts back.
pub(crate) fn held_back(snapshot: &Snapshot) -> Option<i64> {
    let primary = &snapshot.primary;
    let left = primary.last_setback + failure::wait(primary.setbacks) - snapshot.now;
    (primary.setbacks > 0 && left > 0).then_some(left)
}

fn scale_in(snapshot: &Snapshot, tasks: &[&Task], desired: usize, budget: &mut Budget) {
    let excess = tasks.len().saturating_sub(desired);
    for task in victims(snapshot, tasks, excess) {
        budget.stop(snapshot, task, Why::ScaleIn);
    }
}

/// What may be stopped without there being too few.
pub(crate) struct Budget {
    pub(crate) healthy: usize,
    pub(crate) least: usize,
    pub(crate) stop: Vec<Stop>,
}

impl Budget {
    /// Stops a task, unless that would leave too few healthy ones.
    pub(crate) fn stop(&mut self, snapshot: &Snapshot, task: &Task, why: Why) -> bool {
        if task.is_healthy(snapshot) {
            if self.healthy <= self.least {
                return false;
            }
            self.healthy -= 1;
        }
        self.stop.push(Stop {
            task: task.id.clone(),
            why,
        });
        true
    }
}
