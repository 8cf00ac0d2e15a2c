//! Messages between agents and control plane: late, lost, and sent again.

use roadstead_agent::engine::decode::decode;
use roadstead_agent::engine::event::Event;
use roadstead_agent::engine::state::Status;

use super::{Happening, World};
use crate::plane::Last;
use crate::{Millis, SECOND};

/// After which a message that was lost is sent again.
const RESEND: Millis = 2 * SECOND;

impl World {
    pub(super) fn tell_node(&mut self, task: &str) {
        let Some(record) = self.plane.tasks.get(task) else {
            return;
        };
        let node = record.node.0;
        let at = self.now + self.options.knobs.delay.draw(&mut self.rng);
        let task = task.to_owned();
        self.queue.put(at, Happening::Sync { node, task });
    }

    pub(super) fn reachable(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.agent.alive && !node.partitioned && !node.machine.gone
    }

    /// The node is told what is wanted of a task now; what is lost is told again.
    pub(super) fn sync(&mut self, node: usize, task: &str) {
        let Some(record) = self.plane.tasks.get(task) else {
            return;
        };
        if record.last == Last::Stopped {
            return;
        }
        let wanted = record.wanted;
        let lost = self.options.knobs.lost_messages.strikes(&mut self.rng);
        if lost || !self.reachable(node) {
            let task = task.to_owned();
            self.queue.put(self.now + RESEND, Happening::Sync { node, task });
            // Half of what gets lost was heard, and only the answer got lost.
            if !lost || !self.reachable(node) || self.rng.bool() {
                return;
            }
        }
        let known = self.nodes[node].agent.knows(task);
        match (wanted, known) {
            (true, false) => {
                let Some(payload) = self.plane.payload(task) else {
                    return;
                };
                match decode(&payload) {
                    Ok(read) => {
                        self.nodes[node].agent.take(task, read);
                        self.feed_if_alive(node, task, Some(Event::Tick));
                    }
                    Err(_) => self.hear(task, Status::Stopped),
                }
            }
            (true, true) => {}
            (false, true) => {
                self.feed_if_alive(node, task, Some(Event::StopWanted { reason: None }));
            }
            // It never came there.
            (false, false) => self.hear(task, Status::Stopped),
        }
    }

    pub(super) fn hear(&mut self, task: &str, status: Status) {
        let Some(record) = self.plane.tasks.get(task) else {
            return;
        };
        let service = record.service.0;
        self.plane.hear(task, status, self.now);
        // What stopped made room for others.
        let waiting = self
            .plane
            .services
            .iter()
            .map(|it| it.cramped)
            .collect::<Vec<_>>();
        for (other, cramped) in waiting.into_iter().enumerate() {
            if other == service || (cramped && status == Status::Stopped) {
                self.plane.services[other].look_at = Some(self.now);
                self.schedule_look(other);
            }
        }
    }

    pub(super) fn tell_plane(&mut self, node: usize, task: &str) {
        if !self.nodes[node].agent.alive {
            return;
        }
        let Some(change) = self.nodes[node].agent.news(task) else {
            return;
        };
        if change.not_before.0 > self.now {
            return;
        }
        let number = change.number;
        self.feed_if_alive(node, task, Some(Event::Sending { number }));
        let life = self.nodes[node].agent.life;
        let at = self.now + self.options.knobs.delay.draw(&mut self.rng);
        let task = task.to_owned();
        self.queue.put(
            at,
            Happening::Told {
                node,
                life,
                task,
                number,
            },
        );
    }

    pub(super) fn told(&mut self, node: usize, life: u64, task: &str, number: u64) {
        let agent = &self.nodes[node].agent;
        if agent.life != life || !agent.alive {
            return;
        }
        let Some(status) = agent.status_of(task, number) else {
            return;
        };
        let lost = self.options.knobs.lost_messages.strikes(&mut self.rng);
        let heard = self.reachable(node) && (!lost || self.rng.bool());
        if heard {
            self.hear(task, status);
        }
        if heard && !lost {
            self.feed_if_alive(node, task, Some(Event::Settled { number }));
        } else {
            let doing = self.nodes[node]
                .agent
                .feed(task, Event::NotSent { number }, self.now);
            debug_assert!(doing.is_empty(), "nothing follows from a message that got lost");
            let task = task.to_owned();
            self.queue.put(self.now + RESEND, Happening::Tell { node, task });
        }
    }
}
