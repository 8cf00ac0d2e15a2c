//! The MD5 sums by which clients check what was taken and what they got.
//! Source: "Calculating the MD5 message digest for message attributes" in the SQS developer guide.

use md5::{Digest as _, Md5};

use crate::records::{Attribute, Attributes, Content};

const STRING: u8 = 1;
const BINARY: u8 = 2;

pub(crate) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// None where there are no attributes.
pub(crate) fn of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut sum = Md5::new();
    let part = |sum: &mut Md5, bytes: &[u8]| {
        sum.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        sum.update(bytes);
    };
    for (name, Attribute { data_type, content }) in attributes {
        part(&mut sum, name.as_bytes());
        part(&mut sum, data_type.as_bytes());
        match content {
            Content::Text(text) => {
                sum.update([STRING]);
                part(&mut sum, text.as_bytes());
            }
            Content::Bytes(bytes) => {
                sum.update([BINARY]);
                part(&mut sum, bytes);
            }
        }
    }
    Some(hex::encode(sum.finalize()))
}
