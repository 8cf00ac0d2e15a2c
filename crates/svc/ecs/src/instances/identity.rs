//! The instance identity document: which machine an agent runs on.

use serde::Deserialize;

use crate::error::{Error, Result};

/// What of the document matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    pub(super) instance_id: String,
    pub(super) availability_zone: Option<String>,
    pub(super) instance_type: Option<String>,
}

/// None without a document: an external instance. The document's signature is not the vendor's to check here;
/// one without a document is refused as the mistake it is.
pub(super) fn read(document: Option<&str>, signature: Option<&str>) -> Result<Option<Identity>> {
    let text = document.unwrap_or_default();
    if text.is_empty() {
        return match signature {
            None | Some("") => Ok(None),
            Some(_) => Err(Error::invalid(
                "instanceIdentityDocumentSignature is given without its document.",
            )),
        };
    }
    let identity: Identity = serde_json::from_str(text)
        .map_err(|error| Error::client(format!("Invalid instanceIdentityDocument: {error}")))?;
    let id = identity.instance_id.strip_prefix("i-").unwrap_or_default();
    if !(8..=17).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::client(
            "Invalid instanceIdentityDocument: it names no instance.",
        ));
    }
    Ok(Some(identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_an_instance_or_are_refused() {
        assert_eq!(read(None, None).expect("external"), None);
        assert_eq!(read(Some(""), Some("")).expect("external"), None);
        let text =
            r#"{"instanceId":"i-0123456789abcdef0","availabilityZone":"us-east-1a","region":"us-east-1"}"#;
        let identity = read(Some(text), Some("c2ln"))
            .expect("reads")
            .expect("an identity");
        assert_eq!(identity.instance_id, "i-0123456789abcdef0");
        assert_eq!(identity.availability_zone.as_deref(), Some("us-east-1a"));
        for bad in [
            "{",
            "{}",
            r#"{"instanceId":""}"#,
            r#"{"instanceId":"i-../../x"}"#,
            r#"{"instanceId":"web"}"#,
        ] {
            assert!(read(Some(bad), None).is_err(), "{bad}");
        }
        assert!(read(None, Some("c2ln")).is_err());
    }
}
