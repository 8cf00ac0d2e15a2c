//! Whatever is asked of whatever snapshot: nothing is oversold, no two tasks share a host port, no instance
//! that must not take a task takes one, and the same question has the same answer.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roadstead_placement::*;

fn ports() -> impl Strategy<Value = Ports> {
    let set = || prop::collection::btree_set(1u16..6, 0..3);
    (set(), set()).prop_map(|(tcp, udp)| Ports { tcp, udp })
}

fn capacity() -> impl Strategy<Value = Capacity> {
    (-10i64..100, -10i64..100, -1i64..5, ports()).prop_map(|(cpu, memory, eni_slots, used_ports)| Capacity {
        cpu,
        memory,
        eni_slots,
        used_ports,
    })
}

fn location() -> impl Strategy<Value = Location> {
    ("[vw]", "[ab]").prop_map(|(vpc, zone)| Location { vpc, zone })
}

prop_compose! {
    /// Nodes are few, so that several candidates often stand for one machine.
    fn candidate()(
        node in 0..4u8,
        status in prop_oneof![4 => Just(Status::Active), 1 => Just(Status::Draining), 1 => Just(Status::Inactive)],
        agent_connected in prop::bool::weighted(0.8),
        location in prop::option::of(location()),
        gpu in any::<bool>(),
        tasks in 0..3usize,
        peers in 0..2usize,
    ) -> Candidate {
        let attributes = if gpu { BTreeMap::from([("gpu".to_owned(), None)]) } else { BTreeMap::new() };
        Candidate {
            id: CandidateId(String::new()),
            node: NodeId(node.to_string()),
            status, agent_connected, attributes, location, tasks, peers,
        }
    }
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let nodes = prop::collection::btree_map((0..3u8).prop_map(|n| NodeId(n.to_string())), capacity(), 0..4);
    (prop::collection::vec(candidate(), 0..6), nodes).prop_map(|(mut candidates, nodes)| {
        for (index, candidate) in candidates.iter_mut().enumerate() {
            candidate.id = CandidateId(index.to_string());
        }
        Snapshot { candidates, nodes }
    })
}

prop_compose! {
    fn demand()(
        cpu in 0i64..50, memory in 0i64..50, eni_slots in 0i64..2, ports in ports(),
        gpu in prop::bool::weighted(0.2),
        locations in prop::collection::vec(location(), 0..3),
        distinct_instance in any::<bool>(),
    ) -> Demand {
        let attributes =
            if gpu { vec![RequiredAttribute { name: "gpu".into(), value: None }] } else { Vec::new() };
        Demand { cpu, memory, eni_slots, ports, attributes, locations, distinct_instance }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_sold_twice(snapshot in snapshot(), demand in demand(), count in 0..12usize) {
        let plan = place(&snapshot, &demand, count);
        prop_assert!(plan.placements.len() <= count);
        let find = |id: &CandidateId| snapshot.candidates.iter().find(|c| c.id == *id).expect("a candidate");
        let mut per_node: BTreeMap<&NodeId, i64> = BTreeMap::new();
        let mut per_candidate: BTreeMap<&CandidateId, usize> = BTreeMap::new();
        for id in &plan.placements {
            let candidate = find(id);
            *per_node.entry(&candidate.node).or_default() += 1;
            *per_candidate.entry(id).or_default() += 1;
            prop_assert!(candidate.status == Status::Active && candidate.agent_connected);
            prop_assert!(demand.attributes.iter().all(|a| candidate.attributes.contains_key(&a.name)));
            prop_assert!(demand.locations.is_empty()
                || candidate.location.as_ref().is_some_and(|here| demand.locations.contains(here)));
        }
        for (node, copies) in per_node {
            let free = snapshot.nodes.get(node).cloned().unwrap_or_default();
            prop_assert!(demand.cpu == 0 || copies * demand.cpu <= free.cpu);
            prop_assert!(demand.memory == 0 || copies * demand.memory <= free.memory);
            prop_assert!(demand.eni_slots == 0 || copies * demand.eni_slots <= free.eni_slots);
            prop_assert!(!demand.ports.overlaps(&free.used_ports));
            prop_assert!(demand.ports.is_empty() || copies == 1, "two tasks on one host port");
        }
        for (id, copies) in per_candidate {
            prop_assert!(!demand.distinct_instance || copies + find(id).peers == 1);
        }
    }

    #[test]
    fn every_copy_is_placed_or_every_candidate_says_why(
        snapshot in snapshot(), demand in demand(), count in 0..12usize,
    ) {
        let plan = place(&snapshot, &demand, count);
        let refused: Vec<&CandidateId> = plan.refusals.iter().map(|(id, _)| id).collect();
        if plan.placements.len() == count {
            prop_assert!(refused.is_empty());
        } else {
            prop_assert_eq!(refused, snapshot.candidates.iter().map(|c| &c.id).collect::<Vec<_>>());
        }
        prop_assert_eq!(place(&snapshot, &demand, count), plan);
    }
}
