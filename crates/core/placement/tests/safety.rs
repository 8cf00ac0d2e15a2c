//! Whatever is asked of whatever snapshot: nothing is oversold, no two tasks share a host port, no instance
//! that must not take a task takes one, the same question has the same answer, and each choice is one that a plain
//! scan of all instances would make too.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roadstead_placement::{
    Candidate, CandidateId, Capacity, DaemonPlace, Demand, Location, NodeId, Packed, Planner, Ports, Query,
    Refusal, RequiredAttribute, Snapshot, Spread, Status, Strategy as Placement, admit, daemons, place,
};

mod naive;

fn ports() -> impl Strategy<Value = Ports> {
    let set = || prop::collection::btree_set(1u16..6, 0..3);
    (set(), set()).prop_map(|(tcp, udp)| Ports { tcp, udp })
}

fn capacity() -> impl Strategy<Value = Capacity> {
    (-10i64..100, -10i64..100, -1i64..5, 0i64..3, ports()).prop_map(
        |(cpu, memory, eni_slots, gpus, used_ports)| Capacity {
            cpu,
            memory,
            eni_slots,
            gpus,
            used_ports,
        },
    )
}

fn location() -> impl Strategy<Value = Location> {
    ("[vw]", "[ab]").prop_map(|(vpc, zone)| Location { vpc, zone })
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, Option<String>>> {
    let value = || prop::option::of("[xyz]");
    prop::collection::btree_map("zone|rack|gpu", value(), 0..3)
}

fn groups() -> impl Strategy<Value = BTreeMap<String, usize>> {
    prop::collection::btree_map("[gh]", 1..3usize, 0..3)
}

prop_compose! {
    /// Nodes are few, so that several candidates often stand for one machine.
    fn candidate()(
        node in 0..4u8,
        status in prop_oneof![6 => Just(Status::Active), 1 => Just(Status::Draining), 1 => Just(Status::Inactive)],
        agent_connected in prop::bool::weighted(0.9),
        location in prop::option::of(location()),
        attributes in attributes(),
        groups in groups(),
        others in 0..3usize,
        running in 0..3usize,
    ) -> Candidate {
        Candidate {
            node: NodeId(node.to_string()),
            tasks: groups.values().sum::<usize>() + others,
            status, agent_connected, attributes, location, groups, running,
            ..Candidate::default()
        }
    }
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let nodes = prop::collection::btree_map((0..4u8).prop_map(|n| NodeId(n.to_string())), capacity(), 0..5);
    (prop::collection::vec(candidate(), 0..9), nodes).prop_map(|(mut candidates, nodes)| {
        for (index, candidate) in candidates.iter_mut().enumerate() {
            candidate.id = CandidateId(index.to_string());
        }
        Snapshot { candidates, nodes }
    })
}

fn strategies() -> impl Strategy<Value = Vec<Placement>> {
    let one = prop_oneof![
        Just(Placement::Binpack(Packed::Cpu)),
        Just(Placement::Binpack(Packed::Memory)),
        Just(Placement::Spread(Spread::Instance)),
        Just(Placement::Spread(Spread::Attribute("zone".into()))),
        Just(Placement::Spread(Spread::Attribute("rack".into()))),
        Just(Placement::Random),
    ];
    prop::collection::vec(one, 0..4)
}

fn constraints() -> impl Strategy<Value = Vec<Query>> {
    let one = prop::sample::select(vec![
        "attribute:zone == x",
        "attribute:zone in [x, y] or attribute:rack exists",
        "not(task:group == h)",
        "task:group =~ [gh] || runningTasksCount < 1",
        "attribute:gpu !exists",
    ]);
    prop::collection::vec(one, 0..2).prop_map(|texts| {
        texts
            .into_iter()
            .map(|text| Query::parse(text).expect(text))
            .collect()
    })
}

prop_compose! {
    fn demand()(
        group in "[gh]",
        cpu in 0i64..50, memory in 0i64..50, eni_slots in 0i64..2,
        gpus in prop_oneof![5 => Just(0i64), 1 => Just(1i64)],
        ports in prop_oneof![2 => Just(Ports::default()), 1 => ports()],
        gpu in prop::bool::weighted(0.1),
        locations in prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(location(), 0..3)],
        distinct_instance in prop::bool::weighted(0.2),
        member_of in constraints(),
        strategies in strategies(),
    ) -> Demand {
        let attributes =
            if gpu { vec![RequiredAttribute { name: "gpu".into(), value: None }] } else { Vec::new() };
        Demand {
            group, cpu, memory, eni_slots, gpus, ports, attributes, locations, distinct_instance, member_of, strategies,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_sold_twice(snapshot in snapshot(), demand in demand(), count in 0..12usize, seed: u64) {
        let plan = place(&snapshot, &demand, count, seed);
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
            prop_assert!(demand.gpus == 0 || copies * demand.gpus <= free.gpus);
            prop_assert!(!demand.ports.overlaps(&free.used_ports));
            prop_assert!(demand.ports.is_empty() || copies == 1, "two tasks on one host port");
        }
        for (id, copies) in per_candidate {
            prop_assert!(!demand.distinct_instance || copies + find(id).peers(&demand.group) == 1);
        }
    }

    #[test]
    fn every_copy_is_placed_or_every_candidate_says_why(
        snapshot in snapshot(), demand in demand(), count in 0..12usize, seed: u64,
    ) {
        let plan = place(&snapshot, &demand, count, seed);
        let refused: Vec<&CandidateId> = plan.refusals.iter().map(|(id, _)| id).collect();
        if plan.placements.len() == count {
            prop_assert!(refused.is_empty());
        } else {
            prop_assert_eq!(refused, snapshot.candidates.iter().map(|c| &c.id).collect::<Vec<_>>());
        }
        prop_assert_eq!(place(&snapshot, &demand, count, seed), plan);
    }

    /// One planner, many demands by turns, copies that end in between: each choice is among those that a scan of
    /// everything finds best, and the first of them unless chance decides.
    #[test]
    fn each_choice_is_a_plain_scans_choice(
        snapshot in snapshot(),
        demands in prop::collection::vec(demand(), 1..4),
        turns in prop::collection::vec((0..4usize, 1..4usize, any::<bool>()), 1..12),
        seed: u64,
    ) {
        let mut planner = Planner::new(snapshot.clone());
        let mut model = snapshot;
        let mut running: Vec<(CandidateId, &Demand)> = Vec::new();
        for (turn, count, ends) in turns {
            let demand = &demands[turn % demands.len()];
            let plan = planner.place(demand, count, seed);
            for chosen in &plan.placements {
                let best = naive::best(&model, demand);
                if demand.strategies.contains(&Placement::Random) {
                    prop_assert!(best.contains(&chosen), "{chosen} is none of {best:?}");
                } else {
                    prop_assert_eq!(best.first().copied(), Some(chosen));
                }
                // A constraint holds at the moment of the choice, for what is there then.
                let candidate = model.candidates.iter().find(|c| c.id == *chosen).expect("a candidate");
                prop_assert!(demand.member_of.iter().all(|query| query.holds(candidate)));
                model.take(chosen, demand);
                running.push((chosen.clone(), demand));
            }
            if plan.placements.len() < count {
                prop_assert!(naive::best(&model, demand).is_empty());
                for (id, refusal) in &plan.refusals {
                    prop_assert_eq!(admit(&model, id, demand), Err(*refusal));
                    prop_assert_eq!(planner.admit(id, demand), Err(*refusal));
                }
            }
            if ends && !running.is_empty() {
                let (id, demand) = running.swap_remove(running.len() / 2);
                planner.give_back(&id, demand);
                naive::give_back(&mut model, &id, demand);
            }
        }
    }

    #[test]
    fn daemons_belong_where_a_task_suits_and_fit_where_one_fits(snapshot in snapshot(), demand in demand()) {
        let found = daemons(&snapshot, &demand);
        for candidate in &snapshot.candidates {
            let place = found.iter().find(|daemon| daemon.id == candidate.id).map(|daemon| daemon.place);
            let verdict = admit(&snapshot, &candidate.id, &demand);
            let peers = candidate.peers(&demand.group);
            match place {
                Some(DaemonPlace::Taken) => prop_assert!(peers > 0),
                Some(DaemonPlace::Fits) => prop_assert!(verdict.is_ok() && peers == 0),
                Some(DaemonPlace::Refused(refusal)) => prop_assert!(
                    matches!(refusal, Refusal::Agent | Refusal::Resource(_)) && verdict == Err(refusal) && peers == 0),
                None => prop_assert!(verdict.is_err()),
            }
        }
    }
}
