//! DAEMON: one on each eligible instance. Each instance is decided for itself; what they share is how many may be
//! without a healthy task at a time.

use std::collections::HashMap;

use crate::model::{Instance, InstanceId, Plan, Rollout, Snapshot, Start, Task, Why};
use crate::replica::{Budget, held_back};

pub(crate) fn plan(snapshot: &Snapshot, instances: &[Instance]) -> Plan {
    let eligible: Vec<&Instance> = instances.iter().filter(|it| it.eligible).collect();
    // By instance, the oldest first: thousands of instances are decided for at a time.
    let mut there: HashMap<&InstanceId, Vec<&Task>> = HashMap::new();
    for task in &snapshot.tasks {
        there.entry(&task.instance).or_default().push(task);
    }
    for here in there.values_mut() {
        here.sort_by_key(|task| (task.created, task.id.clone()));
    }
    let on = |instance: &Instance| there.get(&instance.id).cloned().unwrap_or_default();
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
    let places: HashMap<&InstanceId, &Instance> = instances.iter().map(|it| (&it.id, it)).collect();
    for task in &snapshot.tasks {
        let place = places.get(&task.instance);
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
