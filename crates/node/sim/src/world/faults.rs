//! What comes upon nodes, and passes.

use roadstead_agent::engine::event::Effect;

use super::{Happening, World};
use crate::knobs::Episodes;

impl World {
    pub(super) fn expect_faults(&mut self, node: usize) {
        let knobs = self.options.knobs.clone();
        self.expect(knobs.partitions, Happening::Partition { node, begins: true });
        self.expect(knobs.full_disks, Happening::FullDisk { node, begins: true });
        self.expect(knobs.agent_deaths, Happening::Death { node });
    }

    fn expect(&mut self, episodes: Option<Episodes>, happening: Happening) {
        if let Some(Episodes { every, .. }) = episodes {
            let at = self.now + every.draw(&mut self.rng);
            self.queue.put(at, happening);
        }
    }

    /// When what begins now ends; it does not begin when the world has calmed down.
    fn pass(&mut self, episodes: Option<Episodes>, happening: Happening) -> bool {
        let Some(Episodes { lasts, .. }) = episodes else {
            return false;
        };
        let at = self.now + lasts.draw(&mut self.rng);
        self.queue.put(at, happening);
        true
    }

    pub(super) fn partition(&mut self, node: usize, begins: bool) {
        let episodes = self.options.knobs.partitions;
        if begins && !self.pass(episodes, Happening::Partition { node, begins: false }) {
            return;
        }
        self.nodes[node].partitioned = begins;
        self.connection_changed(node);
        if !begins {
            self.expect(episodes, Happening::Partition { node, begins: true });
        }
    }

    pub(super) fn fill_disk(&mut self, node: usize, begins: bool) {
        let episodes = self.options.knobs.full_disks;
        if begins && !self.pass(episodes, Happening::FullDisk { node, begins: false }) {
            return;
        }
        self.nodes[node].machine.disk_full = begins;
        if !begins {
            self.expect(episodes, Happening::FullDisk { node, begins: true });
        }
    }

    /// The agent is killed. Of what it was doing, some was done and nobody heard of it.
    pub(super) fn kill_agent(&mut self, node: usize) {
        let episodes = self.options.knobs.agent_deaths;
        if self.nodes[node].machine.gone || !self.pass(episodes, Happening::Birth { node }) {
            return;
        }
        self.nodes[node].agent.die();
        for (_, (task, effect)) in std::mem::take(&mut self.nodes[node].doing) {
            // Signals are sent at once; all else takes its time.
            if matches!(effect, Effect::Signal { .. }) || self.rng.bool() {
                self.finish(node, &task, effect, None);
            }
        }
        self.connection_changed(node);
    }

    pub(super) fn revive_agent(&mut self, node: usize) {
        if self.nodes[node].machine.gone {
            return;
        }
        let this = &mut self.nodes[node];
        let doing = this.agent.come_back(&mut this.machine, self.now);
        let tasks: Vec<String> = this.agent.tasks().map(str::to_owned).collect();
        for task in tasks {
            let own = doing.iter().filter(|(of, _)| *of == task).cloned().collect();
            self.follow(node, &task, own);
        }
        self.connection_changed(node);
        let episodes = self.options.knobs.agent_deaths;
        self.expect(episodes, Happening::Death { node });
    }

    fn connection_changed(&mut self, node: usize) {
        let connected = self.reachable(node);
        self.plane.instances[node].connected = connected;
        if connected {
            self.look_at_all();
        }
    }
}
