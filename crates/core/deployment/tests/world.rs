//! Safety and arrival in a simulated world: tasks start slowly, fail, fall ill, are protected and lose their
//! instances, while the plan is applied again and again.

use proptest::prelude::*;
use roadstead_deployment::{
    Bounds, Breaker, Deployment, DeploymentId, End, Health, Instance, InstanceId, Plan, Rollout, Scheduling,
    Snapshot, Start, State, Task, TaskId, Verdict, judge, plan, setbacks_left,
};

/// The menu of misfortunes, in percent of what happens in a step, for the first `trouble` steps.
#[derive(Clone, Debug)]
struct Trouble {
    steps: usize,
    never_start: u8,
    die: u8,
    fall_ill: u8,
    drain: u8,
    no_place: u8,
}

#[derive(Clone, Debug)]
struct Case {
    desired: usize,
    bounds: Bounds,
    instances: usize,
    daemon: bool,
    checked: bool,
    trouble: Trouble,
    /// At which step it becomes how many.
    scale: Vec<(usize, usize)>,
    /// At which steps there is a new deployment.
    rollouts: Vec<usize>,
    breaker: bool,
    seed: u64,
}

struct World {
    case: Case,
    snapshot: Snapshot,
    draining: Vec<bool>,
    random: u64,
    made: usize,
    step: usize,
}

const STEP: i64 = 1_000;

impl World {
    fn new(case: Case) -> Self {
        let snapshot = Snapshot {
            now: 0,
            scheduling: Scheduling::Replica {
                desired: case.desired,
            },
            bounds: case.bounds,
            primary: deployment("ecs-svc/0"),
            asked_back: false,
            breaker: case.breaker.then_some(Breaker { rollback: false }),
            alarms: None,
            bake: None,
            fallback: None,
            tasks: Vec::new(),
            due: std::collections::BTreeMap::new(),
            zones: (0..case.instances.min(3)).map(zone).collect(),
            cramped: false,
            grace: 2_000,
            settle: if case.seed.is_multiple_of(2) { 0 } else { 3_000 },
        };
        let draining = vec![false; case.instances];
        let random = case.seed | 1;
        let mut world = Self {
            case,
            snapshot,
            draining,
            random,
            made: 0,
            step: 0,
        };
        world.see_instances();
        world
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.number(100) < usize::from(percent)
    }

    fn number(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or_default() % below.max(1)
    }

    fn see_instances(&mut self) {
        if self.case.daemon {
            let draining = self.draining.iter().enumerate();
            let instances = draining.map(|(n, draining)| Instance {
                id: instance(n),
                eligible: !draining,
                busy: false,
            });
            self.snapshot.scheduling = Scheduling::Daemon {
                instances: instances.collect(),
            };
        }
        for task in &mut self.snapshot.tasks {
            let draining = (0..self.draining.len()).any(|n| self.draining[n] && instance(n) == task.instance);
            task.leaving = !self.case.daemon && draining;
        }
    }

    fn troubled(&self) -> bool {
        self.step < self.case.trouble.steps
    }

    /// What happens by itself.
    fn live(&mut self) {
        self.step += 1;
        self.snapshot.now += STEP;
        let step = self.step;
        if let Some((_, desired)) = self.case.scale.iter().find(|(at, _)| *at == step).copied()
            && let Scheduling::Replica { desired: now } = &mut self.snapshot.scheduling
        {
            *now = desired;
        }
        if self.case.rollouts.contains(&step) {
            self.snapshot.primary = deployment(&format!("ecs-svc/{step}"));
        }
        let trouble = self.case.trouble.clone();
        if self.troubled() && self.chance(trouble.drain) {
            let which = self.number(self.draining.len());
            self.draining[which] = !self.draining[which];
        } else if !self.troubled() {
            self.draining.fill(false);
        }
        self.see_instances();
        let mut tasks = std::mem::take(&mut self.snapshot.tasks);
        tasks.retain_mut(|task| self.age(task));
        self.snapshot.tasks = tasks;
        let id = self.snapshot.primary.id.clone();
        let well = self
            .snapshot
            .tasks
            .iter()
            .any(|task| task.deployment == id && is_healthy(&self.snapshot, task));
        let primary = &mut self.snapshot.primary;
        if well {
            primary.failures = 0;
        }
        primary.setbacks = setbacks_left(primary.setbacks, primary.last_setback, self.snapshot.now);
    }

    /// False: it is no more.
    fn age(&mut self, task: &mut Task) -> bool {
        let trouble = self.case.trouble.clone();
        match task.state {
            State::Pending if self.troubled() && self.chance(trouble.never_start) => {
                self.ended(task, None);
                return false;
            }
            State::Pending => {
                if self.chance(60) {
                    task.state = State::Running {
                        since: self.snapshot.now,
                    };
                }
            }
            State::Running { since } => {
                if self.troubled() && self.chance(trouble.die) {
                    self.ended(task, Some(self.snapshot.now - since));
                    return false;
                }
                if task.health != Health::Unchecked {
                    let ill = self.troubled() && self.chance(trouble.fall_ill);
                    task.health = if ill { Health::Unhealthy } else { Health::Healthy };
                }
            }
        }
        true
    }

    fn ended(&mut self, task: &Task, ran: Option<i64>) {
        let primary = &mut self.snapshot.primary;
        if task.deployment == primary.id
            && let Some(setback) = judge(End { ran, sick: false })
        {
            primary.setbacks += 1;
            primary.last_setback = self.snapshot.now;
            if setback == roadstead_deployment::Setback::Failure {
                primary.failures += 1;
            }
        }
    }

    fn apply(&mut self, plan: &Plan) {
        match plan.verdict {
            Some(Verdict::Completed) => self.snapshot.primary.rollout = Rollout::Completed,
            Some(Verdict::Bake) => panic!("there is nothing to bake for"),
            Some(Verdict::Failed(_) | Verdict::RollBack(_, _) | Verdict::NoWayBack(_)) => {
                self.snapshot.primary.rollout = Rollout::Failed
            }
            None => {}
        }
        let places: Vec<usize> = match &plan.start {
            None => Vec::new(),
            Some(Start::Anywhere(count)) => {
                let free: Vec<usize> = (0..self.draining.len()).filter(|n| !self.draining[*n]).collect();
                let free = if free.is_empty() { vec![0] } else { free };
                (0..*count).map(|_| free[self.number(free.len())]).collect()
            }
            Some(Start::In(wanted)) => {
                let found = (0..self.draining.len()).find(|n| zone(*n % 3) == *wanted);
                found.into_iter().collect()
            }
            Some(Start::On(named)) => {
                let number = |id: &InstanceId| (0..self.draining.len()).find(|n| instance(*n) == *id);
                named.iter().filter_map(number).collect()
            }
        };
        self.snapshot.cramped = false;
        for place in places {
            if self.troubled() && self.chance(self.case.trouble.no_place) {
                self.snapshot.cramped = true;
                continue;
            }
            self.made += 1;
            let health = if self.case.checked {
                Health::Unknown
            } else {
                Health::Unchecked
            };
            let protect = self.troubled() && self.chance(10);
            let task = Task {
                id: TaskId(format!("{:05}", self.made)),
                deployment: self.snapshot.primary.id.clone(),
                state: State::Pending,
                health,
                created: self.snapshot.now,
                zone: Some(zone(place % 3)),
                instance: instance(place),
                protected_until: protect.then_some(self.snapshot.now + 5_000),
                provider: None,
                leaving: false,
            };
            self.snapshot.tasks.push(task);
        }
        self.snapshot
            .tasks
            .retain(|task| !plan.stop.iter().any(|stop| stop.task == task.id));
    }
}

fn deployment(id: &str) -> Deployment {
    Deployment {
        id: DeploymentId(id.to_owned()),
        rollout: Rollout::InProgress,
        failures: 0,
        setbacks: 0,
        last_setback: 0,
    }
}

fn zone(n: usize) -> String {
    format!("zone-{n}")
}

fn instance(n: usize) -> InstanceId {
    InstanceId(format!("instance-{n:03}"))
}

fn is_healthy(snapshot: &Snapshot, task: &Task) -> bool {
    match (task.state, task.health) {
        (State::Running { since }, Health::Unchecked) => snapshot.now >= since + snapshot.settle,
        (State::Running { .. }, Health::Healthy) => true,
        _ => false,
    }
}

/// Tasks that count: for a daemon those on eligible instances.
fn counted(snapshot: &Snapshot) -> Vec<&Task> {
    let counts = |task: &&Task| match &snapshot.scheduling {
        Scheduling::Replica { .. } => true,
        Scheduling::Daemon { instances } => instances.iter().any(|it| it.eligible && it.id == task.instance),
    };
    snapshot.tasks.iter().filter(counts).collect()
}

/// What must hold of every plan, whatever the snapshot.
fn check_safe(snapshot: &Snapshot, plan: &Plan) {
    let desired = snapshot.desired();
    let tasks = counted(snapshot);
    let stops = |task: &Task| plan.stop.iter().any(|stop| stop.task == task.id);
    let healthy = tasks.iter().filter(|task| is_healthy(snapshot, task)).count();
    let left = tasks
        .iter()
        .filter(|task| is_healthy(snapshot, task) && !stops(task))
        .count();
    let least = snapshot.bounds.least(desired);
    assert!(
        left >= healthy.min(least),
        "{left} of {healthy} healthy are left, {least} must be: {plan:?}"
    );
    let started = match &plan.start {
        None => 0,
        Some(Start::Anywhere(count)) => *count,
        Some(Start::In(_)) => 1,
        Some(Start::On(instances)) => instances.len(),
    };
    let most = snapshot.bounds.most(desired);
    assert!(
        started == 0 || tasks.len() + started <= most,
        "{} + {started} of {most}",
        tasks.len()
    );
    let mut stopped: Vec<&TaskId> = plan.stop.iter().map(|stop| &stop.task).collect();
    stopped.sort();
    stopped.dedup();
    assert_eq!(
        stopped.len(),
        plan.stop.len(),
        "nothing is stopped twice: {plan:?}"
    );
    for task in snapshot.tasks.iter().filter(|task| stops(task)) {
        let protected = task.protected_until.is_some_and(|until| snapshot.now < until);
        let sick = task.health == Health::Unhealthy;
        let daemon = matches!(snapshot.scheduling, Scheduling::Daemon { .. });
        assert!(!protected || sick || daemon, "{task:?} is protected");
    }
    if plan.steady {
        assert!(matches!(plan.start, None | Some(Start::In(_))) && plan.stop.is_empty());
    }
    assert!(plan.again.is_none_or(|after| after > 0), "{plan:?}");
}

fn cases() -> impl Strategy<Value = Case> {
    let bounds = (0u32..=100, 100u32..=300);
    let trouble = (0usize..80, 0u8..60, 0u8..20, 0u8..30, 0u8..20, 0u8..50);
    let trouble = trouble.prop_map(|(steps, never_start, die, fall_ill, drain, no_place)| Trouble {
        steps,
        never_start,
        die,
        fall_ill,
        drain,
        no_place,
    });
    let scale = proptest::collection::vec((1usize..60, 0usize..12), 0..4);
    let rollouts = proptest::collection::vec(1usize..60, 0..3);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>());
    (0usize..12, bounds, 1usize..8, flags, trouble, scale, rollouts).prop_map(
        |(desired, (least, most), instances, (daemon, checked, breaker, seed), trouble, scale, rollouts)| {
            Case {
                desired,
                bounds: Bounds {
                    minimum_healthy_percent: least,
                    maximum_percent: most,
                },
                instances,
                daemon,
                checked,
                trouble,
                scale,
                rollouts,
                breaker,
                seed,
            }
        },
    )
}

/// With these, something can always be replaced.
fn can_move(bounds: Bounds, desired: usize) -> bool {
    desired == 0 || bounds.most(desired) > desired || bounds.least(desired) < desired
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_world_stays_safe_and_arrives(case in cases()) {
        let mut world = World::new(case);
        let last = world.case.scale.iter().map(|(at, _)| *at).chain(world.case.rollouts.clone()).max();
        let quiet = world.case.trouble.steps.max(last.unwrap_or_default());
        // The longest that setbacks can hold a start back, and ten steps for each task.
        let held = roadstead_deployment::WAIT_MAX / STEP;
        let enough = quiet + usize::try_from(held).unwrap_or_default() + 400;
        let mut steady = false;
        for _ in 0..enough {
            world.live();
            let plan = plan(&world.snapshot);
            check_safe(&world.snapshot, &plan);
            world.apply(&plan);
            steady = plan.steady;
            let balanced = plan.start.is_none() && plan.wait_for_start.is_none();
            if steady && balanced && world.step > quiet {
                break;
            }
        }
        let desired = world.snapshot.desired();
        let given_up = world.snapshot.primary.rollout == Rollout::Failed;
        if !given_up && can_move(world.case.bounds, desired) {
            prop_assert!(steady, "after {} steps: {:#?}", world.step, world.snapshot);
            let zones = world.snapshot.zones.clone();
            if !world.case.daemon && world.snapshot.bounds.most(desired) > desired {
                let in_zone = |zone: &String| world.snapshot.tasks.iter().filter(|it| it.zone.as_ref() == Some(zone)).count();
                let counts: Vec<usize> = zones.iter().map(in_zone).collect();
                let apart = counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0);
                prop_assert!(zones.len() < 2 || apart <= 1, "{counts:?}");
            }
        }
    }
}
