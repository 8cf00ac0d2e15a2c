//! Task sets: parts of a service that a third party deploys. Each is planned for as a service of its own. Source: the API
//! reference, TaskSet, `computedDesiredCount` and `stabilityStatus`.

use crate::model::{Health, State, Task};

/// How many of `desired` tasks a set of so many percent is to have: rounded up.
pub fn part(desired: usize, percent: f64) -> usize {
    // A count of tasks is far below what a float tells apart.
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let exact = desired as f64 * percent.clamp(0.0, 100.0) / 100.0;
    // 0.14 % of 5000 is 7, not a hair more, whatever floats make of it.
    let exact = (exact - 1e-9).max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, and between 0 and `desired`"
    )]
    let whole = exact.ceil() as usize;
    whole.min(desired)
}

/// Whether these are as many as desired, all RUNNING on instances that stay, and none says that it is not healthy.
pub fn is_stable(tasks: &[Task], desired: usize) -> bool {
    let well = |task: &Task| {
        matches!(task.state, State::Running { .. })
            && matches!(task.health, Health::Unchecked | Health::Healthy)
            && !task.leaving
    };
    tasks.len() == desired && tasks.iter().all(well)
}
