//! Tasks from RunTask to STOPPED, with reconcilers running and agents on real sockets.

mod constraints;
mod events;
mod failures;
mod fargate;
mod forward;

mod life;
mod placing;
mod reading;
mod refusals;
mod reports;
mod restarts;
mod roles;
mod tokens;
