//! One table: who refuses what, and why.

use std::collections::BTreeMap;

use roadstead_placement::*;

fn candidate(id: &str) -> Candidate {
    Candidate {
        id: CandidateId(id.into()),
        node: NodeId(format!("node-{id}")),
        status: Status::Active,
        agent_connected: true,
        attributes: BTreeMap::from([
            ("os".to_owned(), Some("linux".to_owned())),
            ("ssd".to_owned(), None),
        ]),
        location: Some(Location {
            vpc: "vpc-1".into(),
            zone: "a".into(),
        }),
        ..Candidate::default()
    }
}

fn snapshot(candidates: Vec<Candidate>) -> Snapshot {
    let capacity = Capacity {
        cpu: 1024,
        memory: 1000,
        eni_slots: 2,
        gpus: 1,
        used_ports: Ports {
            tcp: [22].into(),
            ..Ports::default()
        },
    };
    let nodes = candidates
        .iter()
        .map(|candidate| (candidate.node.clone(), capacity.clone()))
        .collect();
    Snapshot { candidates, nodes }
}

fn check(name: &str, change: impl Fn(&mut Candidate, &mut Demand), expected: Result<(), &str>) {
    let mut one = candidate("i");
    let mut demand = Demand {
        cpu: 100,
        memory: 100,
        eni_slots: 1,
        ..Demand::default()
    };
    change(&mut one, &mut demand);
    let id = one.id.clone();
    let snapshot = snapshot(vec![one]);
    let verdict = admit(&snapshot, &id, &demand).map_err(|refusal| refusal.to_string());
    assert_eq!(
        verdict.as_ref().map_err(String::as_str).copied(),
        expected,
        "{name}"
    );
    let plan = place(&snapshot, &demand, 1, 0);
    assert_eq!(plan.placements.len(), usize::from(expected.is_ok()), "{name}");
    let reasons: Vec<String> = plan
        .refusals
        .iter()
        .map(|(_, refusal)| refusal.to_string())
        .collect();
    assert_eq!(reasons, expected.err().into_iter().collect::<Vec<_>>(), "{name}");
}

fn attribute(name: &str, value: Option<&str>) -> RequiredAttribute {
    RequiredAttribute {
        name: name.into(),
        value: value.map(Into::into),
    }
}

#[test]
fn every_refusal_has_its_documented_reason() {
    check("fits", |_, _| (), Ok(()));
    check("draining", |c, _| c.status = Status::Draining, Err("INACTIVE"));
    check("agent away", |c, _| c.agent_connected = false, Err("AGENT"));
    check(
        "attribute by name",
        |_, d| d.attributes = vec![attribute("ssd", None)],
        Ok(()),
    );
    check(
        "attribute absent",
        |_, d| d.attributes = vec![attribute("gpu", None)],
        Err("ATTRIBUTE"),
    );
    check(
        "attribute by value",
        |_, d| d.attributes = vec![attribute("os", Some("linux"))],
        Ok(()),
    );
    check(
        "attribute of another value",
        |_, d| d.attributes = vec![attribute("os", Some("plan9"))],
        Err("ATTRIBUTE"),
    );
    check(
        "attribute without a value",
        |_, d| d.attributes = vec![attribute("ssd", Some("x"))],
        Err("ATTRIBUTE"),
    );
    let many = |from: u16, count: u16| Ports {
        tcp: (from..from + count).collect(),
        ..Ports::default()
    };
    check("a hundred ports", |_, d| d.ports = many(1000, 99), Ok(()));
    check(
        "more than a machine reserves",
        |_, d| d.ports = many(1000, 100),
        Err("RESOURCE:PORTS"),
    );
    let at = |vpc: &str, zone: &str| Location {
        vpc: vpc.into(),
        zone: zone.into(),
    };
    check(
        "one of its zones",
        |_, d| d.locations = vec![at("vpc-1", "b"), at("vpc-1", "a")],
        Ok(()),
    );
    check(
        "another zone",
        |_, d| d.locations = vec![at("vpc-1", "b")],
        Err("LOCATION"),
    );
    check(
        "another VPC",
        |_, d| d.locations = vec![at("vpc-2", "a")],
        Err("LOCATION"),
    );
    let nowhere = |c: &mut Candidate, d: &mut Demand| {
        c.location = None;
        d.locations = vec![at("vpc-1", "a")];
    };
    check("in no VPC", nowhere, Err("LOCATION"));
    check("too much CPU", |_, d| d.cpu = 1025, Err("RESOURCE:CPU"));
    check("all CPU", |_, d| d.cpu = 1024, Ok(()));
    check("too much memory", |_, d| d.memory = 1001, Err("RESOURCE:MEMORY"));
    check("too many GPUs", |_, d| d.gpus = 2, Err("RESOURCE:GPU"));
    check("too many interfaces", |_, d| d.eni_slots = 3, Err("RESOURCE:ENI"));
    check(
        "a port in use",
        |_, d| d.ports.tcp = [22].into(),
        Err("RESOURCE:PORTS"),
    );
    check(
        "the same port of the other protocol",
        |_, d| d.ports.udp = [22].into(),
        Ok(()),
    );
    let peer = |c: &mut Candidate, d: &mut Demand| {
        c.groups.insert("g".into(), 1);
        d.group = "g".into();
        d.distinct_instance = true;
    };
    check(
        "a peer is there",
        peer,
        Err("distinctInstance placement constraint unsatisfied."),
    );
}

#[test]
fn copies_spread_and_the_rest_is_refused_with_reasons() {
    let snapshot = snapshot(vec![candidate("a"), candidate("b")]);
    let demand = Demand {
        cpu: 500,
        memory: 10,
        ..Demand::default()
    };
    let plan = place(&snapshot, &demand, 5, 0);
    let placed: Vec<&str> = plan.placements.iter().map(|id| id.0.as_str()).collect();
    assert_eq!(placed, ["a", "b", "a", "b"]);
    assert_eq!(plan.refusals.len(), 2);
    assert!(
        plan.refusals
            .iter()
            .all(|(_, refusal)| *refusal == Refusal::Resource(Resource::Cpu))
    );
    let distinct = place(
        &snapshot,
        &Demand {
            distinct_instance: true,
            ..demand
        },
        3,
        0,
    );
    assert_eq!(distinct.placements.len(), 2);
}

#[test]
fn an_unknown_instance_is_missing() {
    let id = CandidateId("nobody".into());
    assert_eq!(
        admit(&snapshot(vec![]), &id, &Demand::default()),
        Err(Refusal::Missing)
    );
}

#[test]
fn a_machine_without_capacity_gives_a_port_once() {
    let mut world = snapshot(vec![candidate("a")]);
    world.nodes.clear();
    let id = world.candidates[0].id.clone();
    let demand = Demand {
        ports: Ports {
            udp: [53].into(),
            ..Ports::default()
        },
        ..Demand::default()
    };
    assert_eq!(place(&world, &demand, 2, 0).placements.len(), 1);
    world.take(&id, &demand);
    assert_eq!(
        admit(&world, &id, &demand),
        Err(Refusal::Resource(Resource::Ports))
    );
}
