//! The agents' channel over real sockets: with agents that a test writes the lines of, and with what the vendor's
//! agent was recorded to say.

mod channel;
mod recorded;
