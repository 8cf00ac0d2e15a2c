//! Host ports in use or wanted. TCP and UDP are two worlds: port 53 of one says nothing about the other.

use std::collections::BTreeSet;

/// Ports that one machine reserves at most, those it never gives to tasks included. Source: the Amazon ECS API
/// reference, PortMapping, `hostPort`.
pub const MAX_RESERVED: usize = 100;

/// Port numbers by protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports {
    pub tcp: BTreeSet<u16>,
    pub udp: BTreeSet<u16>,
}

impl Ports {
    pub(crate) const NONE: Self = Self {
        tcp: BTreeSet::new(),
        udp: BTreeSet::new(),
    };

    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }

    /// Whether a port is in both.
    pub fn overlaps(&self, other: &Ports) -> bool {
        !self.tcp.is_disjoint(&other.tcp) || !self.udp.is_disjoint(&other.udp)
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.tcp.len() + self.udp.len()
    }

    /// Whether these can be reserved beside the ones that are used.
    pub(crate) fn fit(&self, used: &Ports) -> bool {
        self.is_empty() || (!self.overlaps(used) && self.count() + used.count() <= MAX_RESERVED)
    }

    /// Adds the other's ports.
    pub fn take(&mut self, other: &Ports) {
        self.tcp.extend(&other.tcp);
        self.udp.extend(&other.udp);
    }

    /// Removes the other's ports.
    pub fn give_back(&mut self, other: &Ports) {
        self.tcp.retain(|port| !other.tcp.contains(port));
        self.udp.retain(|port| !other.udp.contains(port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_do_not_collide_with_each_other() {
        let tcp = Ports {
            tcp: [53].into(),
            ..Ports::default()
        };
        let udp = Ports {
            udp: [53].into(),
            ..Ports::default()
        };
        assert!(tcp.overlaps(&tcp) && udp.overlaps(&udp) && !tcp.overlaps(&udp));
        let mut used = tcp.clone();
        used.take(&udp);
        used.give_back(&tcp);
        assert_eq!(used, udp);
        used.give_back(&udp);
        assert!(used.is_empty());
    }
}
