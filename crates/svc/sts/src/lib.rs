//! Who am I, and may I be somebody else for a while. Knows nothing itself: roles are IAM's, whether a role trusts a
//! caller is decided at the gate, and keys are issued there.

mod assume;
mod error;
mod permissions;
mod service;
#[cfg(test)]
mod tests;

pub use permissions::StsPermissions;
pub use service::Sts;
