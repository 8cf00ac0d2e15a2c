//! From what agents measure to how busy a cluster or a service is, in percent. Pure.
//! Source: the developer guide, "Amazon ECS CloudWatch metrics": a cluster's utilization is what its tasks use of what
//! its instances registered, its reservation what they reserve of it; a service's utilization is what its tasks use of
//! what they reserve.

/// CPU units and MiB, whatever they are of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    pub cpu: f64,
    pub memory: f64,
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
        }
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}

/// What several samples of one measure amount to, as an agent says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples {
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    pub count: i64,
}

/// Samples in one report: an agent takes about twenty.
const MOST_SAMPLES: i64 = 100_000;
/// Sums are made of rounded numbers.
const ROUNDING: f64 = 1e-6;

impl Samples {
    /// Their mean; `None` if no samples amount to this.
    pub fn mean(&self) -> Option<f64> {
        let Self { min, max, sum, count } = *self;
        let finite = [min, max, sum].iter().all(|number| number.is_finite());
        if !finite || min < 0.0 || min > max || !(1..=MOST_SAMPLES).contains(&count) {
            return None;
        }
        let mean = sum / count as f64;
        let slack = ROUNDING * max.max(1.0);
        (mean >= min - slack && mean <= max + slack).then_some(mean.clamp(min, max))
    }
}

/// What one container used over one report; what was not measured is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// In percent of the CPU that its instance registered.
    pub cpu: Option<Samples>,
    /// In MiB.
    pub memory: Option<Samples>,
}

/// What a task used over one report: its containers together. `registered` is its instance's CPU in units. `None` if
/// nothing that makes sense was measured of any.
pub fn used(containers: impl IntoIterator<Item = Measured>, registered: f64) -> Option<Amount> {
    let mut known = false;
    let mut total = Amount::default();
    for Measured { cpu, memory } in containers {
        if let Some(percent) = cpu.and_then(|samples| samples.mean()) {
            known = true;
            total.cpu += percent / 100.0 * registered;
        }
        if let Some(mib) = memory.and_then(|samples| samples.mean()) {
            known = true;
            total.memory += mib;
        }
    }
    known.then_some(total)
}

/// The mean of several; `None` of none.
pub fn mean(amounts: &[Amount]) -> Option<Amount> {
    let count = amounts.len() as f64;
    let sum: Amount = amounts.iter().copied().sum();
    (!amounts.is_empty()).then(|| Amount {
        cpu: sum.cpu / count,
        memory: sum.memory / count,
    })
}

/// Of CPU and memory, each `None` where there is nothing to be a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percent {
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
}

/// A part of a whole, in percent. More than the whole is more than 100: a task may use CPU that nobody reserved.
pub fn percent(part: Amount, whole: Amount) -> Percent {
    let of = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole * 100.0);
    Percent {
        cpu: of(part.cpu, whole.cpu),
        memory: of(part.memory, whole.memory),
    }
}

/// Numbers as a metric takes them: how many, their sum, and their ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub count: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

/// `None` of no numbers.
pub fn summary(numbers: impl IntoIterator<Item = f64>) -> Option<Summary> {
    let one = |number: f64| Summary {
        count: 1.0,
        sum: number,
        min: number,
        max: number,
    };
    numbers.into_iter().map(one).reduce(|all, one| Summary {
        count: all.count + one.count,
        sum: all.sum + one.sum,
        min: all.min.min(one.min),
        max: all.max.max(one.max),
    })
}

/// A group's utilization: one number for each of its tasks, what it uses of what it reserves, so that the mean is the
/// service's utilization and the count its tasks. A task that reserves nothing has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupUtilization {
    pub cpu: Option<Summary>,
    pub memory: Option<Summary>,
}

/// Of pairs of what a task uses and what it reserves.
pub fn group(tasks: &[(Amount, Amount)]) -> GroupUtilization {
    let each: Vec<Percent> = tasks
        .iter()
        .map(|(used, reserved)| percent(*used, *reserved))
        .collect();
    GroupUtilization {
        cpu: summary(each.iter().filter_map(|percent| percent.cpu)),
        memory: summary(each.iter().filter_map(|percent| percent.memory)),
    }
}
