//! Tasks from RunTask to STOPPED, with reconcilers running and agents on real sockets.

mod life;
mod reports;
