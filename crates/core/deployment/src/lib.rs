//! What a service's tasks are to become, decided without touching anything: a snapshot of the service and its tasks
//! in, a plan out. The plan never takes healthy tasks below `minimumHealthyPercent`, never asks for more than
//! `maximumPercent`, and applied again and again to the world as it then is, it arrives. Source: the developer guide,
//! "Amazon ECS services", "Deploy Amazon ECS services by replacing tasks", "How the Amazon ECS deployment circuit
//! breaker detects failures", "Task scale-in protection".

mod bounds;
mod daemon;
mod failure;
mod model;
mod replica;
mod scale_in;
mod sets;
mod verdict;

pub use bounds::{Bounds, breaker_threshold};
pub use failure::{End, Setback, WAIT_MAX, judge, setbacks_left, wait};
pub use model::{
    Alarms, Bake, Breaker, Cause, Deployment, DeploymentId, Health, Instance, InstanceId, Plan, Rollout,
    Scheduling, Snapshot, Start, State, Stop, Task, TaskId, Verdict, Why,
};
pub use sets::{is_stable, part};

/// What is to be done now.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = match &snapshot.scheduling {
        Scheduling::Replica { desired } => replica::plan(snapshot, *desired),
        Scheduling::Daemon { instances } => daemon::plan(snapshot, instances),
    };
    let desired = snapshot.desired();
    plan.verdict = verdict::verdict(snapshot, desired);
    let completed = match plan.verdict {
        Some(Verdict::Completed) => true,
        Some(Verdict::Bake | Verdict::Failed(_) | Verdict::RollBack(_, _) | Verdict::NoWayBack(_)) => false,
        None => snapshot.primary.rollout == Rollout::Completed,
    };
    // Balancing zones is no unrest: the service has what it is to have.
    let starting = matches!(plan.start, Some(Start::Anywhere(_) | Start::On(_)));
    plan.steady = completed && !starting && plan.stop.is_empty() && verdict::arrived(snapshot, desired);
    plan.again = [plan.wait_for_start, snapshot.next_change()]
        .into_iter()
        .flatten()
        .min();
    plan
}
