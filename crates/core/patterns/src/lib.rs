//! Which events a pattern matches: the language by which rules choose among events.
