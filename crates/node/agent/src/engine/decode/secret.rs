//! Where a container's secrets are, and those of its image's registry.

use roadstead_acs as acs;

use super::{Result, refuse};
use crate::engine::spec::{RegistrySecret, SecretRef, SecretSource};

pub(super) fn read_secret(name: &str, secret: &acs::Secret) -> Result<SecretRef> {
    let from = &secret.value_from;
    let wrong = |what: &str| refuse(format!("container {name:?}: {from:?} is not {what}"));
    let source = match (secret.provider.as_str(), secret.kind.as_str()) {
        ("asm", "ENVIRONMENT_VARIABLE") => {
            let parts: Vec<&str> = from.split(':').collect();
            let part = |index: usize| {
                parts
                    .get(index)
                    .filter(|part| !part.is_empty())
                    .map(|part| (*part).to_owned())
            };
            if parts.len() < 7 {
                return wrong("the ARN of a secret");
            }
            SecretSource::Secret {
                arn: parts[..7].join(":"),
                json_key: part(7),
                version_stage: part(8),
                version_id: part(9),
            }
        }
        ("ssm", "ENVIRONMENT_VARIABLE") if from.is_empty() => {
            return wrong("the name or ARN of a parameter");
        }
        ("ssm", "ENVIRONMENT_VARIABLE") => SecretSource::Parameter(from.clone()),
        (provider, kind) => {
            return refuse(format!(
                "container {name:?}: a secret of {provider} as {kind} is not supported by Roadstead yet"
            ));
        }
    };
    if secret.region.is_empty() || secret.name.is_empty() {
        return wrong("of a region, or is of no variable");
    }
    Ok(SecretRef {
        name: secret.name.clone(),
        region: secret.region.clone(),
        source,
    })
}

pub(super) fn read_registry(name: &str, registry: &acs::RegistryAuthentication) -> Result<RegistrySecret> {
    match (registry.kind.as_str(), &registry.asm_auth_data) {
        ("asm", Some(data)) if !data.credentials_parameter.is_empty() && !data.region.is_empty() => {
            Ok(RegistrySecret {
                secret: data.credentials_parameter.clone(),
                region: data.region.clone(),
            })
        }
        ("asm", _) => refuse(format!(
            "container {name:?}: registryAuthentication names no secret or no region"
        )),
        (other, _) => refuse(format!(
            "container {name:?}: registryAuthentication of type {other:?} is not supported by Roadstead yet"
        )),
    }
}
