//! What the tests of handlers share: a service over a store in memory and a clock that stands still.
