//! DAEMON: one on each eligible instance. Each instance is decided for itself; what they share is how many may be
//! without a healthy task at a time.

use crate::model::{Instance, Plan, Rollout, Snapshot, Start, Task, Why};
use crate::replica::{Budget, held_back};

pub(crate) fn plan(snapshot: &Snapshot, instances: &[Instance]) -> Plan {
    let eligible: Vec<&Instance> = instances.iter().filter(|it| it.eligible).collect();
    let on = |instance: &Instance| -> Vec<&Task> {
        let mut here: Vec<&Task> = snapshot
            .tasks
            .iter()
            .filter(|task| task.instance == instance.id)
            .collect();
        here.sort_by_key(|task| (task.created, task.id.clone()));
        here
    };
    let live: Vec<&Task> = eligible.iter().flat_map(|instance| on(instance)).collect();
    let desired = eligible.len();
    let most = snapshot.bounds.most(desired).max(desired);
    let mut room = most.saturating_sub(live.len());
    let mut budget = Budget {
        healthy: live.iter().filter(|task| task.is_healthy(snapshot)).count(),
        least: snapshot.bounds.least(desired),
        stop: Vec::new(),
    };
    let mut starts = Vec::new();
    let failed = snapshot.primary.rollout == Rollout::Failed;
    for instance in &eligible {
        let here = on(instance);
        let (good, going): (Vec<&Task>, Vec<&Task>) = here
            .into_iter()
            .partition(|task| snapshot.is_primary(task) && !task.is_sick(snapshot));
        for task in good.iter().skip(1) {
            budget.stop(snapshot, task, Why::ScaleIn);
        }
        let missing = good.is_empty() && !failed;
        let beside = missing && room > 0;
        if beside {
            starts.push(instance.id.clone());
            room -= 1;
        }
        let served = good.first().is_some_and(|task| task.is_healthy(snapshot));
        for task in going {
            let sick = task.is_sick(snapshot);
            let in_the_way = missing && !beside;
            let useless = !failed && !task.is_healthy(snapshot) && !sick;
            let may = served || in_the_way || useless;
            if may && (sick || !task.is_protected(snapshot.now)) {
                let why = if sick { Why::Unhealthy } else { Why::Replaced };
                budget.stop(snapshot, task, why);
            }
        }
    }
    // Those elsewhere count for nothing, and go when they are the last there.
    for task in &snapshot.tasks {
        let place = instances.iter().find(|it| it.id == task.instance);
        if place.is_none_or(|place| !place.eligible && !place.busy) {
            budget.stop.push(crate::Stop {
                task: task.id.clone(),
                why: Why::Leaving,
            });
        }
    }
    let mut plan = Plan {
        stop: budget.stop,
        ..Plan::default()
    };
    if !starts.is_empty() {
        match held_back(snapshot) {
            Some(wait) => plan.wait_for_start = Some(wait),
            None => plan.start = Some(Start::On(starts)),
        }
    }
    plan
}
