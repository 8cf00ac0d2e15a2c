//! What agents begin on their machines, how long it takes, and what becomes of it.

use roadstead_agent::engine::event::{Effect, Event, Signal};

use super::{Happening, World};
use crate::plane::image;

impl World {
    pub(super) fn feed_if_alive(&mut self, node: usize, task: &str, event: Option<Event>) {
        if let Some(event) = event
            && self.nodes[node].agent.alive
        {
            let doing = self.nodes[node].agent.feed(task, event, self.now);
            self.follow(node, task, doing);
        }
    }

    /// Begins what is to be done, and looks after what a task wants next.
    pub(super) fn follow(&mut self, node: usize, task: &str, doing: Vec<(String, Effect)>) {
        let mut touched: Vec<String> = vec![task.to_owned()];
        for (task, effect) in doing {
            if !touched.contains(&task) {
                touched.push(task.clone());
            }
            self.begin(node, task, effect);
        }
        for task in touched {
            if let Some(at) = self.nodes[node].agent.deadline(&task) {
                let task = task.clone();
                self.queue
                    .put(at.max(self.now + 1), Happening::Tick { node, task });
            }
            if let Some(change) = self.nodes[node].agent.news(&task) {
                let at = change.not_before.0.max(self.now);
                self.queue.put(at, Happening::Tell { node, task });
            }
        }
    }

    pub(super) fn begin(&mut self, node: usize, task: String, effect: Effect) {
        let knobs = &self.options.knobs;
        let length = match &effect {
            Effect::CancelPull { container } => {
                let cancelled = |(of, doing): &(String, Effect)| {
                    *of == task && matches!(doing, Effect::Pull { container: pulled } if pulled == container)
                };
                self.nodes[node].doing.retain(|_, doing| !cancelled(doing));
                return;
            }
            Effect::CancelNetwork => return,
            Effect::Pull { .. } if knobs.slow_pulls.strikes(&mut self.rng) => {
                knobs.pull.draw(&mut self.rng) * 100
            }
            Effect::Pull { .. } => knobs.pull.draw(&mut self.rng),
            Effect::Signal {
                signal: Signal::Stop(_),
                ..
            } if knobs.stubborn.strikes(&mut self.rng) => return,
            _ => knobs.step.draw(&mut self.rng),
        };
        self.next_effect += 1;
        let number = self.next_effect;
        self.nodes[node].doing.insert(number, (task, effect));
        self.queue
            .put(self.now + length, Happening::Done { node, number });
    }

    pub(super) fn fails(&mut self, node: usize, task: &str, effect: &Effect) -> Option<String> {
        match effect {
            Effect::Pull { .. } => {
                let record = self.plane.tasks.get(task)?;
                let image = image(record.service, record.revision);
                self.broken
                    .contains(&image)
                    .then(|| format!("CannotPullContainerError: {image} not found"))
            }
            Effect::Create { .. } if self.nodes[node].machine.disk_full => {
                Some("CannotCreateContainerError: no space left on device".to_owned())
            }
            Effect::Create { .. } | Effect::Start { .. } => {
                let strikes = self.options.knobs.failing_starts.strikes(&mut self.rng);
                strikes.then(|| "CannotStartContainerError: it failed".to_owned())
            }
            _ => None,
        }
    }

    /// Brings an effect about on the machine and tells the agent, if there is one.
    pub(super) fn finish(&mut self, node: usize, task: &str, effect: Effect, fails: Option<String>) {
        let outcome = self.nodes[node]
            .machine
            .bring_about(task, effect, fails, self.now);
        if let Some((place, run)) = outcome.started
            && let Some(crashes) = self.options.knobs.crashes
        {
            let at = self.now + crashes.draw(&mut self.rng);
            self.queue.put(at, Happening::Crash { node, place, run });
        }
        self.feed_if_alive(node, task, outcome.event);
    }
}
