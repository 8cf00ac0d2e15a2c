//! The Amazon States Language (states-language.net, "Amazon States Language" in the Step Functions developer guide): reading
//! and validating definitions, and executing them as a pure machine, without I/O, clock or randomness of its own.

mod budget;
mod definition;
mod diagnostic;
mod dice;
mod execution;
mod failure;
mod history;
mod intrinsic;
mod jsonata;
mod path;
mod template;

pub use budget::Budget;
pub use definition::{
    Catcher, Comparison, Condition, Flow, Io, Kind, Literal, Machine, Map, Next, Ordered, Pattern,
    QueryLanguage, Resource, Retrier, Rule, State, Task, Wait,
};
pub use diagnostic::{Code, Diagnostic, Severity, refusal};
pub use dice::Dice;
pub use execution::{
    About, CONCURRENCY, DATA_LIMIT, EVENT_LIMIT, Execution, Handled, Input, Inspection, Order, Outcome,
    Status, Step, TaskToken, Trial, VARIABLES_LIMIT, size,
};
pub use failure::{Failure, names};
pub use history::{Called, History, HistoryEvent};
pub use intrinsic::Intrinsic;
pub use jsonata::{Jsonata, JsonataFault};
pub use path::{Path, PathFault, Place, PlaceFault, Root, Variables, View};
pub use template::{Scope, Template};
