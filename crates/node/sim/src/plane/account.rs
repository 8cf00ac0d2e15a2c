//! What ended tasks say about their deployments: each is counted once.

use std::collections::BTreeSet;

use roadstead_deployment::{End, Setback, judge, setbacks_left};

use super::{Last, Plane, ServiceId};
use crate::Millis;

impl Plane {
    pub(super) fn account(&mut self, id: ServiceId, now: Millis) {
        let own: Vec<(String, super::TaskRecord)> = self
            .of_service(id)
            .map(|(task, record)| (task.clone(), record.clone()))
            .collect();
        let over = own.iter().any(|(_, task)| task.last == Last::Stopped);
        let service = &mut self.services[id.0];
        for deployment in &mut service.deployments {
            deployment.setbacks = setbacks_left(deployment.setbacks, deployment.last_setback, now);
            let mut runs = false;
            for (task, record) in own.iter().filter(|(_, task)| task.deployment == deployment.id) {
                runs |= record.wanted && record.last == Last::Running;
                let ended_by_itself = record.wanted && record.last == Last::Stopped;
                if !ended_by_itself || !service.counted.insert(task.clone()) {
                    continue;
                }
                let ran = record
                    .started
                    .zip(record.stopped)
                    .map(|(since, until)| until - since);
                let Some(setback) = judge(End { ran, sick: false }) else {
                    continue;
                };
                deployment.setbacks = deployment.setbacks.saturating_add(1);
                deployment.last_setback = now;
                if setback == Setback::Failure {
                    deployment.failures = deployment.failures.saturating_add(1);
                }
            }
            if runs {
                deployment.failures = 0;
            }
        }
        if over {
            self.tasks
                .retain(|_, task| task.service != id || task.last != Last::Stopped);
        }
        self.forget(id);
    }

    /// Deployments that nothing is left of.
    fn forget(&mut self, id: ServiceId) {
        let live: BTreeSet<String> = self
            .of_service(id)
            .map(|(_, task)| task.deployment.clone())
            .collect();
        let service = &mut self.services[id.0];
        service.counted.clear();
        let mut place = 0;
        service.deployments.retain(|deployment| {
            place += 1;
            place == 1 || live.contains(&deployment.id)
        });
    }
}
