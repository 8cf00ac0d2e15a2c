//! What a task may learn of itself at 169.254.170.2. The address that asks decides which task is meant, and an
//! id in the path counts only if it is one of that task's own containers: nobody reads about a neighbour.

mod document;
mod protection;
mod server;
mod stats;
mod throttle;

pub use server::{Place, serve};
