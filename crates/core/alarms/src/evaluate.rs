//! M out of N points, and what missing ones count as.

/// How a point is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    GreaterThanOrEqualTo,
    GreaterThan,
    LessThan,
    LessThanOrEqualTo,
}

impl Comparison {
    /// Whether a point is on the wrong side.
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualTo => value >= threshold,
            Self::GreaterThan => value > threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqualTo => value <= threshold,
        }
    }
}

/// What a missing point counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// N, at least 1.
    pub evaluation_periods: usize,
    /// M, from 1 to N.
    pub datapoints_to_alarm: usize,
    pub missing: Missing,
}

/// What an evaluation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Alarm,
    Ok,
    InsufficientData,
    /// The state stays what it is.
    Unchanged,
}

/// How many periods an evaluation looks at: some more than N, so that late points do not count as missing.
pub fn range(settings: &Settings) -> usize {
    settings.evaluation_periods + settings.evaluation_periods.div_ceil(2).clamp(2, 5)
}

/// What an evaluation looked at, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Where among the points the real ones lie that counted, the newest first.
    pub counted: Vec<usize>,
    /// How many were missing and counted as something.
    pub filled: usize,
}

/// [`judge`]'s verdict.
pub fn evaluate(points: &[Option<bool>], settings: &Settings) -> Verdict {
    judge(points, settings).verdict
}

/// `points` are whether the point of each period breaches, the newest last; none where it is missing. More than
/// [`range`] are not looked at.
pub fn judge(points: &[Option<bool>], settings: &Settings) -> Judgement {
    let n = settings.evaluation_periods;
    let skipped = points.len().saturating_sub(range(settings));
    let looked_at = &points[skipped..];
    let real: Vec<(usize, bool)> = looked_at
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(at, point)| Some((skipped + at, (*point)?)))
        .take(n)
        .collect();
    let breaching = real.iter().filter(|(_, breaches)| *breaches).count();
    Judgement {
        verdict: decide(looked_at, settings, real.len(), breaching),
        filled: n - real.len(),
        counted: real.into_iter().map(|(at, _)| at).collect(),
    }
}

fn decide(looked_at: &[Option<bool>], settings: &Settings, real: usize, breaching: usize) -> Verdict {
    let (n, m) = (settings.evaluation_periods, settings.datapoints_to_alarm);
    let decided = |breaching: usize| {
        if breaching >= m {
            Verdict::Alarm
        } else {
            Verdict::Ok
        }
    };
    if real >= n {
        // There are enough: what is missing does not matter.
        return decided(breaching);
    }
    let absent = n - real;
    match settings.missing {
        Missing::Breaching => decided(breaching + absent),
        Missing::NotBreaching => decided(breaching),
        Missing::Missing if real == 0 => Verdict::InsufficientData,
        Missing::Ignore if real == 0 => Verdict::Unchanged,
        Missing::Missing | Missing::Ignore if breaching >= m => Verdict::Alarm,
        // One good point among them is enough to say so.
        Missing::Missing | Missing::Ignore if breaching < real => Verdict::Ok,
        Missing::Ignore => Verdict::Unchanged,
        // Only bad points, and too few. They are an alarm once the first of them is old enough to have been followed
        // by others.
        Missing::Missing if oldest(looked_at) >= m => Verdict::Alarm,
        Missing::Missing => Verdict::Unchanged,
    }
}

/// How many periods ago the oldest real point was; 1 is the newest period.
fn oldest(points: &[Option<bool>]) -> usize {
    let at = points.iter().position(Option::is_some);
    at.map_or(0, |at| points.len() - at)
}
