//! Which tasks go when there are more than desired.

use std::collections::BTreeMap;

use crate::model::{Snapshot, Task};

/// `count` of `tasks` in the order in which they are to go: first those that a capacity provider has beyond its
/// part, then those that serve nobody yet, then from the zone with the most, then from the instance with the most, then the youngest, whose caches are coldest.
pub(crate) fn victims<'t>(snapshot: &Snapshot, tasks: &[&'t Task], count: usize) -> Vec<&'t Task> {
    let mut left: Vec<&Task> = tasks
        .iter()
        .copied()
        .filter(|task| !task.is_protected(snapshot.now))
        .collect();
    let mut staying = tasks.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let zones = crowds(&staying, |task| task.zone.clone().unwrap_or_default());
        let instances = crowds(&staying, |task| task.instance.0.clone());
        let providers = crowds(&staying, |task| task.provider.clone().unwrap_or_default());
        let beyond = |task: &Task| {
            let provider = task.provider.as_deref().unwrap_or_default();
            let due = snapshot.due.get(provider).copied().unwrap_or_default();
            !snapshot.due.is_empty() && providers.get(provider).is_some_and(|has| *has > due)
        };
        let balancing = count == 1 && snapshot.zones.len() > 1;
        let best = left.iter().enumerate().max_by_key(|(_, task)| {
            let zone = zones.get(task.zone.as_deref().unwrap_or_default()).copied();
            let instance = instances.get(&task.instance.0).copied();
            let idle = !task.is_healthy(snapshot);
            // One too many may be there to balance zones: then it must not go for being new.
            // Zones are also before the parts of providers then: the one that came may count for any.
            let order = if balancing {
                (zone, idle, beyond(task))
            } else {
                (None, beyond(task), idle)
            };
            (order, zone, instance, task.created, task.id.clone())
        });
        let Some((at, _)) = best else { break };
        let victim = left.swap_remove(at);
        staying.retain(|task| task.id != victim.id);
        chosen.push(victim);
    }
    chosen
}

fn crowds(tasks: &[&Task], place: impl Fn(&Task) -> String) -> BTreeMap<String, usize> {
    let mut crowds = BTreeMap::new();
    for task in tasks {
        *crowds.entry(place(task)).or_insert(0) += 1;
    }
    crowds
}

/// The zone that lacks a task which another has too many of: they differ by two or more.
pub(crate) fn lacking(snapshot: &Snapshot, tasks: &[&Task]) -> Option<String> {
    let crowds = crowds(tasks, |task| task.zone.clone().unwrap_or_default());
    let of = |zone: &String| crowds.get(zone).copied().unwrap_or_default();
    let fewest = snapshot
        .zones
        .iter()
        .min_by_key(|zone| (of(zone), (*zone).clone()))?;
    let most = snapshot.zones.iter().map(of).max()?;
    (snapshot.zones.len() > 1 && most >= of(fewest) + 2).then(|| fewest.clone())
}
