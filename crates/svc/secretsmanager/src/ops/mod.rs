//! The operations, one file each.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod delete_policy;
pub(crate) mod describe;
pub(crate) mod get;
pub(crate) mod get_policy;
pub(crate) mod list;
pub(crate) mod list_versions;
pub(crate) mod put;
pub(crate) mod put_policy;
pub(crate) mod restore;
pub(crate) mod tag;
pub(crate) mod untag;
pub(crate) mod update;
pub(crate) mod update_stage;

use roadstead_protocol::Blob;

use crate::error::{Error, Result};
use crate::records::Value;

/// The one value of a request, if it has any.
pub(crate) fn value(binary: Option<Blob>, string: Option<String>) -> Result<Option<Value>> {
    match (binary, string) {
        (Some(_), Some(_)) => Err(Error::parameter(
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )),
        (Some(Blob(bytes)), None) => Ok(Some(Value { binary: true, bytes })),
        (None, Some(string)) => Ok(Some(Value {
            binary: false,
            bytes: string.into_bytes(),
        })),
        (None, None) => Ok(None),
    }
}

/// Values are sealed with Roadstead's own key, which stands for the one that the service has by itself.
pub(crate) fn refuse_other_key(key: Option<String>) -> Result<()> {
    match key.as_deref() {
        None | Some("" | "alias/aws/secretsmanager" | "aws/secretsmanager") => Ok(()),
        Some(_) => Err(Error::Unsupported {
            member: "KmsKeyId other than alias/aws/secretsmanager",
        }),
    }
}
