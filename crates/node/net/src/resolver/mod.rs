//! A task's first look-up must be answered at once, by its own VPC, even if the answer is no: a resolver
//! that is not there costs every program seconds. So each router has one, which knows the VPC's own names
//! and refuses all others.

mod answer;
mod serve;

pub(crate) use answer::Zone;
pub(crate) use serve::Resolver;
