//! The service through its handlers, its schedules and its deliveries, over a store in memory and a clock that the
//! test moves.

mod at_once;
mod buses;
mod dead_letters;
mod deliveries;
mod forwarding;
mod metrics;
mod policies;
mod publishing;
mod rules;
mod schedules;
mod tagging;
mod targets;
mod trail;
