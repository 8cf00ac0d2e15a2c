//! What goes wrong, and how often.

use fastrand::Rng;

use crate::Millis;

/// A length of time between two bounds, all of them as likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Millis, pub Millis);

impl Span {
    pub(crate) fn draw(self, rng: &mut Rng) -> Millis {
        rng.i64(self.0..=self.1.max(self.0))
    }
}

/// So many in a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(pub u32);

impl Chance {
    pub(crate) fn strikes(self, rng: &mut Rng) -> bool {
        self.0 > 0 && rng.u32(0..1_000) < self.0
    }
}

/// Something that comes upon a node now and then, and passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episodes {
    /// Between the end of one and the beginning of the next.
    pub every: Span,
    pub lasts: Span,
}

#[derive(Clone, Debug)]
pub struct Knobs {
    /// Each step of a node: creating, starting, deleting.
    pub step: Span,
    pub pull: Span,
    /// These pulls take a hundred times as long.
    pub slow_pulls: Chance,
    /// Creates and starts that fail.
    pub failing_starts: Chance,
    /// How long a container runs until it ends by itself.
    pub crashes: Option<Span>,
    /// Containers that pay no heed to their stop signal.
    pub stubborn: Chance,
    /// A message's way between agent and control plane.
    pub delay: Span,
    /// Messages that get lost; half of them on the way back, so that they were heard and are sent again.
    pub lost_messages: Chance,
    /// The agent is not heard and hears nothing.
    pub partitions: Option<Episodes>,
    /// Nothing can be created.
    pub full_disks: Option<Episodes>,
    /// The agent is killed, and another comes.
    pub agent_deaths: Option<Episodes>,
}

impl Knobs {
    /// A world in which nothing goes wrong.
    pub fn calm() -> Self {
        Self {
            step: Span(5, 40),
            pull: Span(200, 2_000),
            slow_pulls: Chance(0),
            failing_starts: Chance(0),
            crashes: None,
            stubborn: Chance(0),
            delay: Span(1, 20),
            lost_messages: Chance(0),
            partitions: None,
            full_disks: None,
            agent_deaths: None,
        }
    }

    /// One in which everything does.
    pub fn rough() -> Self {
        const MINUTE: Millis = crate::MINUTE;
        let now_and_then = |hours: Millis, lasts: Span| {
            Some(Episodes {
                every: Span(MINUTE, 2 * hours * crate::HOUR),
                lasts,
            })
        };
        Self {
            slow_pulls: Chance(20),
            failing_starts: Chance(20),
            crashes: Some(Span(10 * MINUTE, 4 * crate::DAY)),
            stubborn: Chance(50),
            delay: Span(1, 500),
            lost_messages: Chance(50),
            partitions: now_and_then(24, Span(crate::SECOND, 20 * MINUTE)),
            full_disks: now_and_then(48, Span(MINUTE, 60 * MINUTE)),
            agent_deaths: now_and_then(24, Span(crate::SECOND, 10 * MINUTE)),
            ..Self::calm()
        }
    }
}
