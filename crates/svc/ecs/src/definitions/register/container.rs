//! One container of a task definition: every member is checked, filled in with its default, or refused by name.

use roadstead_api_ecs::{ContainerDefinition, PortMapping};

use super::around::Around;
use super::{
    dependencies, environment, health, kernel, links, linux, logs, memory, mounts, ports, registry,
    resources, secrets, security,
};
use crate::error::{Error, Result, refuse};

/// Seconds; what the agent waits at most, whatever is asked for.
const LONGEST_TIMEOUT: i32 = 24 * 60 * 60;
/// Seconds on Fargate.
const FARGATE_TIMEOUT: std::ops::RangeInclusive<i32> = 2..=120;
const NAME_MAX: usize = 255;

/// The container with its defaults filled in. `at` is its path in the request.
#[allow(clippy::too_many_lines)] // one line for each of the 43 members, none of which may be forgotten
pub(super) fn check(
    container: ContainerDefinition,
    at: &str,
    around: &mut Around,
) -> Result<ContainerDefinition> {
    let ContainerDefinition {
        command,
        cpu,
        credential_specs,
        depends_on,
        disable_networking,
        dns_search_domains,
        dns_servers,
        docker_labels,
        docker_security_options,
        entry_point,
        environment,
        environment_files,
        essential,
        extra_hosts,
        firelens_configuration,
        health_check,
        hostname,
        image,
        interactive,
        links,
        linux_parameters,
        log_configuration,
        memory,
        memory_reservation,
        mount_points,
        name,
        port_mappings,
        privileged,
        pseudo_terminal,
        readonly_root_filesystem,
        repository_credentials,
        resource_requirements,
        restart_policy,
        secrets,
        start_timeout,
        stop_timeout,
        system_controls,
        ulimits,
        user,
        version_consistency,
        volumes_from,
        working_directory,
    } = container;
    let name = check_name(name)?;
    let image = check_image(image)?;
    let cpu = cpu.unwrap_or(0);
    if cpu < 0 {
        return Err(invalid("cpu", &name));
    }
    memory::check(&name, memory, memory_reservation, around)?;
    let port_mappings = ports::check(&name, at, port_mappings.unwrap_or_default(), around)?;
    links::check(&name, links.as_deref().unwrap_or_default(), around)?;
    check_network_off(
        &name,
        disable_networking,
        &port_mappings,
        links.as_deref(),
        around,
    )?;
    around.not_in_awsvpc("hostname", hostname.is_some())?;
    around.not_in_awsvpc(
        "extraHosts",
        extra_hosts.as_ref().is_some_and(|hosts| !hosts.is_empty()),
    )?;
    around.not_in_awsvpc(
        "dnsServers",
        dns_servers.as_ref().is_some_and(|servers| !servers.is_empty()),
    )?;
    around.not_in_awsvpc(
        "dnsSearchDomains",
        dns_search_domains.as_ref().is_some_and(|names| !names.is_empty()),
    )?;
    environment::check_hosts(
        &name,
        extra_hosts.as_deref(),
        dns_servers.as_deref(),
        dns_search_domains.as_deref(),
    )?;
    environment::check_hostname(&name, hostname.as_deref())?;
    let environment = environment::check(&name, environment.unwrap_or_default())?;
    environment::check_labels(&name, docker_labels.as_ref())?;
    let mount_points = mounts::check_mount_points(&name, mount_points.unwrap_or_default(), around)?;
    let volumes_from = mounts::check_volumes_from(&name, volumes_from.unwrap_or_default(), around)?;
    dependencies::check_names(&name, depends_on.as_deref().unwrap_or_default(), around)?;
    check_timeout("startTimeout", &name, start_timeout, around)?;
    check_timeout("stopTimeout", &name, stop_timeout, around)?;
    check_text("user", &name, user.as_deref(), |user| {
        !user.contains(char::is_whitespace)
    })?;
    check_text("workingDirectory", &name, working_directory.as_deref(), |path| {
        path.starts_with('/')
    })?;
    let health_check = health::check_health(&name, health_check)?;
    health::check_restart(&name, restart_policy.as_ref())?;
    linux::check_ulimits(&name, ulimits.as_deref().unwrap_or_default())?;
    let linux_parameters = linux::check_parameters(&name, linux_parameters, memory, around)?;
    let system_controls = system_controls.unwrap_or_default();
    kernel::check_controls(&name, &system_controls, around)?;
    security::check_privileged(privileged, around)?;
    let options = docker_security_options.as_deref().unwrap_or_default();
    security::check_options(&name, at, options, around)?;
    let resource_requirements = resources::check(&name, at, resource_requirements, around)?;
    let log_configuration = logs::check(&name, at, log_configuration, around)?;
    registry::check_credentials(&name, repository_credentials.as_ref())?;

    let secrets = secrets::check(&name, secrets.unwrap_or_default(), &environment, around)?;

    let member = |member: &str| format!("{at}.{member}");
    refuse(&member("credentialSpecs"), credential_specs)?;
    refuse(&member("environmentFiles"), environment_files)?;
    refuse(&member("firelensConfiguration"), firelens_configuration)?;

    Ok(ContainerDefinition {
        command,
        cpu: Some(cpu),
        credential_specs: None,
        depends_on,
        disable_networking,
        dns_search_domains,
        dns_servers,
        docker_labels,
        docker_security_options,
        entry_point,
        environment: Some(environment),
        environment_files: None,
        essential: Some(essential.unwrap_or(true)),
        extra_hosts,
        firelens_configuration: None,
        health_check,
        hostname,
        image: Some(image),
        interactive,
        links,
        linux_parameters,
        log_configuration,
        memory,
        memory_reservation,
        mount_points: Some(mount_points),
        name: Some(name),
        port_mappings: Some(port_mappings),
        privileged,
        pseudo_terminal,
        readonly_root_filesystem,
        repository_credentials,
        resource_requirements,
        restart_policy,
        secrets,
        start_timeout,
        stop_timeout,
        system_controls: Some(system_controls),
        ulimits,
        user,
        version_consistency,
        volumes_from: Some(volumes_from),
        working_directory,
    })
}

/// `Invalid 'member' setting for container 'name'.`
pub(super) fn invalid(member: &str, container: &str) -> Error {
    Error::client(format!("Invalid '{member}' setting for container '{container}'."))
}

pub(super) fn invalid_because(member: &str, container: &str, why: impl std::fmt::Display) -> Error {
    Error::client(format!(
        "Invalid '{member}' setting for container '{container}'. {why}"
    ))
}

/// A container without a network has nothing to map or to be linked with.
fn check_network_off(
    name: &str,
    off: Option<bool>,
    ports: &[PortMapping],
    links: Option<&[String]>,
    around: &mut Around,
) -> Result<()> {
    if off != Some(true) {
        return Ok(());
    }
    around
        .fargate
        .obstacle("Fargate compatible task definitions do not support disableNetworking.")?;
    if !ports.is_empty() || links.is_some_and(|links| !links.is_empty()) {
        return Err(invalid_because(
            "disableNetworking",
            name,
            "A container without networking has neither portMappings nor links.",
        ));
    }
    Ok(())
}

fn check_name(name: Option<String>) -> Result<String> {
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Error::client("Container.name should not be null or empty."))?;
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain && name.len() <= NAME_MAX {
        Ok(name)
    } else {
        Err(Error::client("Container.name contains invalid characters."))
    }
}

/// Letters, digits and the punctuation of references; the longest allowed is 255 characters before a digest.
fn check_image(image: Option<String>) -> Result<String> {
    let image = image
        .filter(|image| !image.is_empty())
        .ok_or_else(|| Error::client("Container.image should not be null or empty."))?;
    let (name, digest) = match image.split_once('@') {
        None => (image.as_str(), None),
        Some((name, digest)) => (name, Some(digest)),
    };
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_:./#".contains(&b));
    let hash = |digest: &str| {
        digest
            .strip_prefix("sha256:")
            .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if name.is_empty() || !plain || name.len() > NAME_MAX || !digest.is_none_or(hash) {
        return Err(Error::client("Container.image contains invalid characters."));
    }
    Ok(image)
}

fn check_timeout(member: &str, container: &str, seconds: Option<i32>, around: &mut Around) -> Result<()> {
    let Some(seconds) = seconds else { return Ok(()) };
    if !(0..=LONGEST_TIMEOUT).contains(&seconds) {
        return Err(invalid_because(
            member,
            container,
            format_args!("It must be 0 to {LONGEST_TIMEOUT} seconds."),
        ));
    }
    if !FARGATE_TIMEOUT.contains(&seconds) {
        around.fargate.obstacle(format!(
            "Invalid '{member}' setting for container '{container}'. On Fargate it must be 2 to 120 seconds."
        ))?;
    }
    Ok(())
}

fn check_text(
    member: &str,
    container: &str,
    text: Option<&str>,
    allowed: impl Fn(&str) -> bool,
) -> Result<()> {
    match text {
        Some(text) if text.is_empty() || text.len() > 4096 || text.contains('\0') || !allowed(text) => {
            Err(invalid(member, container))
        }
        _ => Ok(()),
    }
}
