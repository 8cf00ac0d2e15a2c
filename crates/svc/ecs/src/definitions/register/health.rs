//! How a container is looked after: its health check and its restart policy.

use roadstead_api_ecs::{ContainerRestartPolicy, HealthCheck};

use super::container::invalid_because;
use crate::error::Result;

/// With the documented defaults, as it is shown.
pub(super) fn check_health(container: &str, check: Option<HealthCheck>) -> Result<Option<HealthCheck>> {
    let Some(HealthCheck {
        command,
        interval,
        retries,
        start_period,
        timeout,
    }) = check
    else {
        return Ok(None);
    };
    let invalid = |why: &str| Err(invalid_because("healthCheck", container, why));
    match command.first().map(String::as_str) {
        Some("CMD" | "CMD-SHELL") if command.len() > 1 => {}
        Some("NONE") if command.len() == 1 => {}
        _ => return invalid("The command must begin with CMD or CMD-SHELL and name what to run."),
    }
    let ranges = [
        (interval, 5..=300, "The interval must be 5 to 300 seconds."),
        (timeout, 2..=120, "The timeout must be 2 to 120 seconds."),
        (retries, 1..=10, "There can be 1 to 10 retries."),
        (start_period, 0..=300, "The startPeriod must be 0 to 300 seconds."),
    ];
    for (value, range, why) in ranges {
        if value.is_some_and(|value| !range.contains(&value)) {
            return invalid(why);
        }
    }
    Ok(Some(HealthCheck {
        command,
        interval: interval.or(Some(30)),
        retries: retries.or(Some(3)),
        start_period,
        timeout: timeout.or(Some(5)),
    }))
}

/// Whether a container says of itself how it is: `NONE` says that it does not.
pub(crate) fn is_checked(check: Option<&HealthCheck>) -> bool {
    check.is_some_and(|check| check.command.first().is_some_and(|kind| kind != "NONE"))
}

pub(super) fn check_restart(container: &str, policy: Option<&ContainerRestartPolicy>) -> Result<()> {
    let Some(ContainerRestartPolicy {
        enabled: _either,
        ignored_exit_codes,
        restart_attempt_period,
    }) = policy
    else {
        return Ok(());
    };
    let invalid = |why: &str| Err(invalid_because("restartPolicy", container, why));
    if ignored_exit_codes.as_ref().is_some_and(|codes| codes.len() > 50) {
        return invalid("At most 50 exit codes can be ignored.");
    }
    if restart_attempt_period.is_some_and(|period| !(60..=1800).contains(&period)) {
        return invalid("The restartAttemptPeriod must be 60 to 1800 seconds.");
    }
    Ok(())
}
