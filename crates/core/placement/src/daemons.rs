//! Daemons: one copy on every instance that suits, which leaves nothing to choose. What there is to know is where a
//! copy belongs, and whether it fits there.

use crate::filter::{self, Refusal};
use crate::model::{CandidateId, Demand, Snapshot, Status};

/// An instance on which a copy belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    pub id: CandidateId,
    pub place: DaemonPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonPlace {
    /// A task of the demand's group is there.
    Taken,
    /// None is there, and one fits.
    Fits,
    /// None is there, and none fits now.
    Refused(Refusal),
}

/// The instances on which a copy belongs, in the snapshot's order: ACTIVE ones that have the attributes, are in one of
/// the zones and meet every `memberOf`, however full they are. On all others there is to be none.
/// `distinct_instance` and strategies say nothing here: there is one copy for each instance.
pub fn daemons(snapshot: &Snapshot, demand: &Demand) -> Vec<Daemon> {
    let candidates = snapshot.candidates.iter();
    candidates
        .filter(|candidate| candidate.status == Status::Active && filter::suits(candidate, demand).is_ok())
        .map(|candidate| Daemon {
            id: candidate.id.clone(),
            place: if candidate.peers(&demand.group) > 0 {
                DaemonPlace::Taken
            } else {
                match filter::check(candidate, &snapshot.capacity(candidate), demand) {
                    Ok(()) => DaemonPlace::Fits,
                    Err(refusal) => DaemonPlace::Refused(refusal),
                }
            },
        })
        .collect()
}
