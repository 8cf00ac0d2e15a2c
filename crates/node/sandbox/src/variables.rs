//! What a runtime finds in its environment. Source: "Defined runtime environment variables" of the Lambda guide.

use std::collections::BTreeMap;
use std::time::Duration;

use roadstead_functions::{Credentials, Spec};

use crate::program::Program;

/// Ports on the environment's own loopback.
pub(crate) const RUNTIME_API: &str = "127.0.0.1:9001";
pub(crate) const API: &str = "127.0.0.1:4566";

/// Of images that do not say otherwise.
const IMAGE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The user's variables, below the ones that are the platform's.
pub(crate) fn of(
    spec: &Spec,
    program: &Program,
    keys: &Credentials,
    log_stream: &str,
) -> Vec<(String, String)> {
    let mut all = match program {
        Program::Zip(_, runtime) => below_code(spec, &runtime.environment),
        Program::Image(_, image) => below_image(spec, &image.config.env),
    };
    let region = spec.region.to_string();
    let mut fixed = vec![
        ("AWS_LAMBDA_RUNTIME_API", RUNTIME_API.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", keys.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret.clone()),
        ("AWS_SESSION_TOKEN", keys.token.clone()),
    ];
    match program {
        Program::Zip(zip, _) => fixed.extend([
            ("_HANDLER", zip.handler.clone()),
            ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
            ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", zip.runtime)),
        ]),
        // Whatever its handler is, its own command says it; where its code lies, its own variables.
        Program::Image(..) => fixed.push(("AWS_EXECUTION_ENV", "AWS_Lambda_Image".to_owned())),
    }
    for (name, value) in fixed {
        all.retain(|(found, _)| found != name);
        all.push((name.to_owned(), value));
    }
    all
}

const NO_PREFIX: &str = "AWS_DISABLE_HOST_PREFIX_INJECTION";

fn below_code(spec: &Spec, runtime: &[(String, String)]) -> Vec<(String, String)> {
    let own = |name: &str| spec.environment.contains_key(name);
    let mut all: Vec<(String, String)> = spec.environment.clone().into_iter().collect();
    // May be the user's choice.
    for (name, value) in [
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        (
            "PATH",
            "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned(),
        ),
        (
            "LD_LIBRARY_PATH",
            "/var/lang/lib:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib".to_owned(),
        ),
        ("AWS_ENDPOINT_URL", format!("http://{API}")),
        // Clients put `sync-` and the like before the host for some operations, which an address cannot have.
        (NO_PREFIX, "true".to_owned()),
    ] {
        if !own(name) {
            all.push((name.to_owned(), value));
        }
    }
    for (name, value) in runtime {
        match all.iter_mut().find(|(found, _)| found == name) {
            // What is searched first is the user's.
            Some((_, found)) if name.ends_with("PATH") => {
                found.push(':');
                found.push_str(value);
            }
            Some(_) => {}
            None => all.push((name.clone(), value.clone())),
        }
    }
    all
}

/// The function's variables over the image's, the later of two of a name over the earlier.
fn below_image(spec: &Spec, image: &[String]) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = [
        ("PATH".to_owned(), IMAGE_PATH.to_owned()),
        ("AWS_ENDPOINT_URL".to_owned(), format!("http://{API}")),
        (NO_PREFIX.to_owned(), "true".to_owned()),
    ]
    .into();
    let named = image.iter().filter_map(|variable| variable.split_once('='));
    let named = named.filter(|(name, _)| !name.is_empty());
    all.extend(named.map(|(name, value)| (name.to_owned(), value.to_owned())));
    all.extend(spec.environment.clone());
    all.into_iter().collect()
}

/// A hundredth of a CPU for each 17.69 MB, one whole at 1,769 MB, as documented; microseconds of each period.
pub(crate) fn cpu(memory_mb: u32, period: Duration) -> u64 {
    let period = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
    (period * u64::from(memory_mb) / 1_769).max(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_comes_with_1769_megabytes() {
        let period = Duration::from_millis(100);
        for (memory, quota) in [(128, 7_235), (1_769, 100_000), (10_240, 578_858), (1, 1_000)] {
            assert_eq!(cpu(memory, period), quota, "{memory}");
        }
    }
}
