//! What the log driver `awslogs` decides: which options there are, where a container's lines go, which lines make one
//! event, and which events make one request. The control plane checks a task definition with it, the agent works by
//! it; neither a clock nor a file is read here. Sources: the ECS API reference, LogConfiguration; Docker's page on
//! this driver, for the formats of dates; the API reference of CloudWatch Logs, PutLogEvents, for the bounds.

mod assemble;
mod batch;
mod datetime;
mod delivery;
mod fault;
mod options;

pub use assemble::{Assembler, BLOCK_WAIT_MS, Event, Line, MAX_EVENT};
pub use batch::{MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Queue};
pub use delivery::{Delivery, DeliveryFault, MAX_BUFFER, Mode, size};
pub use fault::Fault;
pub use options::{Options, Start, last_line};
