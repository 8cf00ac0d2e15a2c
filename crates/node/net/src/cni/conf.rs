//! What every plugin's configuration holds, and how it is read: a member that no one implements is
//! refused by its name, because ignoring it would promise what does not happen.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Error, VERSIONS, code};

/// The members that the specification gives to every plugin. The runtime's own (`args`, `capabilities`,
/// `runtimeConfig`, `disableCheck`) are addressed to runtimes and need nothing here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    pub(crate) cni_version: String,
    pub(crate) name: String,
    pub(crate) prev_result: Option<Value>,
    /// Of GC: containers that are still there, as `container/ifname`.
    pub(crate) valid_attachments: Option<Vec<String>>,
}

/// Members of [`Common`], as they stand in the configuration.
const COMMON: [&str; 12] = [
    "cniVersion",
    "cniVersions",
    "name",
    "type",
    "args",
    "capabilities",
    "runtimeConfig",
    "prevResult",
    "disableCheck",
    "disableGC",
    "cni.dev/valid-attachments",
    "cni.dev/attachments",
];

#[derive(Deserialize)]
struct ValidAttachment {
    #[serde(rename = "containerID")]
    container: String,
    ifname: String,
}

pub(super) fn undecodable(error: serde_json::Error) -> Error {
    Error {
        details: error.to_string(),
        ..Error::new(
            code::UNDECODABLE,
            "the network configuration is not a JSON object",
        )
    }
}

/// Reads a configuration: the common members, and the plugin's own as `T`, which denies unknown ones.
///
/// # Errors
/// Code 6 when it is not JSON, 1 for another version, 2 for a member that the plugin does not know,
/// 7 for a value that does not fit.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<(Common, T), Error> {
    let mut object: serde_json::Map<String, Value> = serde_json::from_slice(text).map_err(undecodable)?;
    let text_of = |object: &serde_json::Map<String, Value>, key: &str| {
        object
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut common = Common {
        cni_version: text_of(&object, "cniVersion"),
        name: text_of(&object, "name"),
        prev_result: object.get("prevResult").filter(|v| !v.is_null()).cloned(),
        valid_attachments: None,
    };
    if !VERSIONS.contains(&common.cni_version.as_str()) {
        let known = VERSIONS.join(", ");
        let msg = format!("cniVersion {:?} is not one of {known}", common.cni_version);
        return Err(Error::new(code::INCOMPATIBLE_VERSION, msg));
    }
    if common.name.is_empty() {
        return Err(Error::config("the member \"name\" is missing"));
    }
    let mut bytes = common.name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        return Err(Error::config(format!(
            "name {:?} is not a network's name",
            common.name
        )));
    }
    let valid = object
        .remove("cni.dev/valid-attachments")
        .or_else(|| object.remove("cni.dev/attachments"));
    if let Some(list) = valid {
        let list: Vec<ValidAttachment> = serde_json::from_value(list)
            .map_err(|e| Error::config(format!("cni.dev/valid-attachments: {e}")))?;
        let aliases = list.into_iter().map(|a| format!("{}/{}", a.container, a.ifname));
        common.valid_attachments = Some(aliases.collect());
    }
    object.retain(|key, _| !COMMON.contains(&key.as_str()));
    let own = serde_json::from_value(Value::Object(object)).map_err(|e| {
        let msg = e.to_string();
        let unknown = msg.starts_with("unknown field");
        Error::new(
            if unknown {
                code::UNSUPPORTED_FIELD
            } else {
                code::INVALID_CONFIG
            },
            msg,
        )
    })?;
    Ok((common, own))
}
