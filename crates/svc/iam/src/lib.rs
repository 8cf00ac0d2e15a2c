//! Who there is and what they may: users, groups, roles, their keys and policies. Everything lies in memory, fed by
//! the store's watch, since the gate asks here before every call. IAM is global: its records lie in no region.

mod authority;
mod compiled;
mod context;
mod error;
mod ids;
mod limits;
mod managed;
mod ops;
mod page;
mod password;
mod permissions;
mod realm;
mod records;
mod service;
mod show;
mod simulate;
#[cfg(test)]
mod testing;
mod token;
mod weigh;

pub use permissions::IamPermissions;
pub use service::Iam;
