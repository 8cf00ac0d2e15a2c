//! What the node measures of its containers, and telling it: a sample of each about every second, and every twenty
//! seconds what they amount to, over the telemetry channel (TCS) of the registration that the task came by.

mod buffer;
mod connection;
mod health;
mod publish;
mod report;
mod samples;
mod timing;

pub(crate) use publish::Publisher;
pub use samples::{Sample, Samples, system_cpu};
pub use timing::Timing;
