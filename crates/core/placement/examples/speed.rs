//! What a placement costs: copies of forty kinds of tasks come and go in a cluster that is about two thirds full, one
//! decision at a time, against a plain scan that takes the first instance with room and ranks nothing. Run by
//! `cargo xtask perf placement`.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

use roadstead_placement::{
    Candidate, CandidateId, Capacity, Demand, NodeId, Packed, Planner, Ports, Query, Snapshot, Spread,
    Status, Strategy,
};

const KINDS: usize = 40;
const ROUNDS: usize = 5;
const PLACEMENTS: usize = 20_000;
/// Turns of the scan, which are enough to tell.
const SCANNED: usize = 400;

fn cluster(nodes: usize) -> Snapshot {
    let candidates = (0..nodes).map(|index| {
        let attribute = |name: &str, value: String| (name.to_owned(), Some(value));
        Candidate {
            id: CandidateId(format!(
                "arn:aws:ecs:us-east-1:000000000000:container-instance/c/{index:032x}"
            )),
            node: NodeId(format!("i-{index:017x}")),
            status: Status::Active,
            agent_connected: true,
            attributes: BTreeMap::from([
                attribute(
                    "ecs.availability-zone",
                    format!("us-east-1{}", ["a", "b", "c"][index % 3]),
                ),
                attribute("ecs.os-type", "linux".to_owned()),
                attribute(
                    "ecs.instance-type",
                    ["m5.large", "m5.xlarge", "c5.large"][index / 3 % 3].to_owned(),
                ),
                attribute("rack", (index % 100).to_string()),
            ]),
            ..Candidate::default()
        }
    });
    let candidates: Vec<Candidate> = candidates.collect();
    let size = |index: usize| Capacity {
        cpu: [2048, 4096, 2048][index / 3 % 3],
        memory: [8192, 16384, 4096][index / 3 % 3],
        eni_slots: 8,
        ..Capacity::default()
    };
    let nodes = candidates.iter().enumerate();
    let nodes = nodes
        .map(|(index, candidate)| (candidate.node.clone(), size(index)))
        .collect();
    Snapshot { candidates, nodes }
}

/// As users write them: packed, spread, spread and packed, at random, by constraints, with ports.
fn demand(kind: usize) -> Demand {
    let zones = Strategy::Spread(Spread::Attribute("ecs.availability-zone".into()));
    let query = |text: &str| Query::parse(text).expect("an expression");
    Demand {
        group: format!("service:s-{kind}"),
        cpu: 64 << (kind % 3),
        memory: 128 << (kind % 4),
        eni_slots: i64::from(kind.is_multiple_of(5)),
        ports: Ports {
            tcp: if kind.is_multiple_of(7) {
                [8000 + kind as u16].into()
            } else {
                [].into()
            },
            ..Ports::default()
        },
        distinct_instance: kind.is_multiple_of(11),
        member_of: match kind % 4 {
            0 => vec![query("attribute:ecs.instance-type =~ m5.*")],
            1 => vec![query(
                "attribute:ecs.os-type == linux and not(attribute:rack in [13, 17])",
            )],
            _ => Vec::new(),
        },
        strategies: match kind % 5 {
            0 => vec![Strategy::Binpack(Packed::Memory)],
            1 => vec![zones],
            2 => vec![zones, Strategy::Binpack(Packed::Cpu)],
            3 => vec![Strategy::Spread(Spread::Instance)],
            _ => vec![Strategy::Random],
        },
        ..Demand::default()
    }
}

/// Who chooses where a copy goes.
trait Chooses {
    fn choose(&mut self, demand: &Demand, seed: u64) -> Option<CandidateId>;
    fn give_back(&mut self, id: &CandidateId, demand: &Demand);
}

impl Chooses for Planner {
    fn choose(&mut self, demand: &Demand, seed: u64) -> Option<CandidateId> {
        self.place(demand, 1, seed).placements.pop()
    }

    fn give_back(&mut self, id: &CandidateId, demand: &Demand) {
        Planner::give_back(self, id, demand);
    }
}

/// The reference: asks one instance after the other and takes the first that says yes.
struct FirstFit {
    ids: Vec<CandidateId>,
    cluster: Planner,
}

impl Chooses for FirstFit {
    fn choose(&mut self, demand: &Demand, _seed: u64) -> Option<CandidateId> {
        let found = self
            .ids
            .iter()
            .find(|id| self.cluster.admit(id, demand).is_ok())?;
        self.cluster.take(found, demand);
        Some(found.clone())
    }

    fn give_back(&mut self, id: &CandidateId, demand: &Demand) {
        self.cluster.give_back(id, demand);
    }
}

/// A cluster of which two thirds of the CPU is taken, and what runs there, oldest first.
struct Bench<C> {
    chooser: C,
    running: VecDeque<(CandidateId, usize)>,
    turn: usize,
}

impl<C: Chooses> Bench<C> {
    fn new(chooser: C, demands: &[Demand], nodes: usize) -> Self {
        let mut bench = Self {
            chooser,
            running: VecDeque::new(),
            turn: 0,
        };
        let mut left = nodes as i64 * 2730 * 2 / 3;
        while left > 0 {
            left -= demands[bench.turn % KINDS].cpu;
            bench.place(demands);
        }
        bench
    }

    fn place(&mut self, demands: &[Demand]) {
        let kind = self.turn % KINDS;
        if let Some(id) = black_box(self.chooser.choose(&demands[kind], self.turn as u64)) {
            self.running.push_back((id, kind));
        }
        self.turn += 1;
    }

    /// The oldest copy ends and another comes, so often; what one such turn takes.
    fn run(&mut self, demands: &[Demand], turns: usize) -> Duration {
        let started = Instant::now();
        for _ in 0..turns {
            if let Some((id, kind)) = self.running.pop_front() {
                self.chooser.give_back(&id, &demands[kind]);
            }
            self.place(demands);
        }
        started.elapsed() / turns as u32
    }
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() / 2]
}

fn main() {
    let demands: Vec<Demand> = (0..KINDS).map(demand).collect();
    let first_fit = |nodes: usize| {
        let cluster = cluster(nodes);
        FirstFit {
            ids: cluster
                .candidates
                .iter()
                .map(|candidate| candidate.id.clone())
                .collect(),
            cluster: Planner::new(cluster),
        }
    };
    let mut small = Bench::new(Planner::new(cluster(5_000)), &demands, 5_000);
    let mut large = Bench::new(Planner::new(cluster(10_000)), &demands, 10_000);
    let mut scan = Bench::new(first_fit(5_000), &demands, 5_000);
    let (mut at_5, mut at_10, mut scanned) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        at_5.push(small.run(&demands, PLACEMENTS));
        at_10.push(large.run(&demands, PLACEMENTS));
        scanned.push(scan.run(&demands, SCANNED));
    }
    let (at_5, at_10, scanned) = (median(at_5), median(at_10), median(scanned));
    let rate = |each: Duration| 1.0 / each.as_secs_f64();
    println!("{KINDS} kinds of tasks, medians of {ROUNDS} rounds in turns, one core");
    println!(
        "5,000 nodes   {each:>9.1} us   {:>8.0}/s",
        rate(at_5),
        each = at_5.as_secs_f64() * 1e6
    );
    println!(
        "10,000 nodes  {each:>9.1} us   {:>8.0}/s",
        rate(at_10),
        each = at_10.as_secs_f64() * 1e6
    );
    println!(
        "first fit     {each:>9.1} us   {:>8.0}/s  (5,000 nodes)",
        rate(scanned),
        each = scanned.as_secs_f64() * 1e6
    );
    let verdict = |met: bool| if met { "met" } else { "missed" };
    println!(
        "at 5,000 nodes at least 10,000/s: {}",
        verdict(rate(at_5) >= 10_000.0)
    );
    let growth = at_10.as_secs_f64() / at_5.as_secs_f64();
    println!(
        "10,000 nodes against 5,000: {growth:.2} (aim: at most 2.2): {}",
        verdict(growth <= 2.2)
    );
    println!(
        "first fit against the planner: {:.1}x",
        scanned.as_secs_f64() / at_5.as_secs_f64()
    );
}
