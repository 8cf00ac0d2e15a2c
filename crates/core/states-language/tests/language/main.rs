//! The states language, by tables: what a text means, and what it is refused for.

mod intrinsics;
mod paths;
mod queries;
mod references;
mod validation;
