//! Which series there are.

use std::collections::BTreeMap;
use std::ops::Bound;

use roadstead_base::Partition;

use crate::error::Result;
use crate::samples::broken;

/// What a series is called. Dimensions are in order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub account: String,
    pub region: String,
    pub namespace: String,
    pub metric: String,
    pub dimensions: Vec<(String, String)>,
    pub unit: String,
}

/// What its samples lie under, and when it was last written to, in milliseconds and to the nearest few minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub id: u64,
    pub seen: i64,
}

impl Name {
    /// Each part with its length before it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self {
            account,
            region,
            namespace,
            metric,
            dimensions,
            unit,
        } = self;
        let mut bytes = Vec::new();
        let mut put = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        for text in [account, region, namespace, metric, unit] {
            put(text);
        }
        for (name, value) in dimensions {
            put(name);
            put(value);
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(|| broken("a series"))?;
            let length = u32::from_be_bytes(*length) as usize;
            let (text, tail) = tail.split_at_checked(length).ok_or_else(|| broken("a series"))?;
            parts.push(String::from_utf8(text.to_vec()).map_err(|_| broken("a series"))?);
            rest = tail;
        }
        let mut parts = parts.into_iter();
        let mut next = || parts.next().ok_or_else(|| broken("a series"));
        let (account, region, namespace, metric, unit) = (next()?, next()?, next()?, next()?, next()?);
        let mut dimensions = Vec::new();
        while let Ok(name) = next() {
            dimensions.push((name, next()?));
        }
        Ok(Self {
            account,
            region,
            namespace,
            metric,
            dimensions,
            unit,
        })
    }
}

impl Series {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.seen.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (id, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| broken("a series"))?;
        let seen = rest.try_into().map_err(|_| broken("a series"))?;
        Ok(Self {
            id: u64::from_be_bytes(*id),
            seen: i64::from_be_bytes(seen),
        })
    }
}

#[derive(Default)]
pub(crate) struct Index(BTreeMap<Name, Series>);

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, name: &Name) -> Option<Series> {
        self.0.get(name).copied()
    }

    pub(crate) fn insert(&mut self, name: Name, series: Series) {
        self.0.insert(name, series);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&Name, &Series)> {
        self.0.iter()
    }

    /// The series of an account in a region, in order; of one namespace, if there is one.
    pub(crate) fn within<'i>(
        &'i self,
        partition: &Partition,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'i Name, &'i Series)> {
        let (account, region) = (partition.account.to_string(), partition.region.to_string());
        let namespace = namespace.map(str::to_owned);
        let first = Name {
            account: account.clone(),
            region: region.clone(),
            namespace: namespace.clone().unwrap_or_default(),
            metric: String::new(),
            dimensions: Vec::new(),
            unit: String::new(),
        };
        let inside = move |name: &Name| {
            name.account == account
                && name.region == region
                && namespace
                    .as_ref()
                    .is_none_or(|namespace| *namespace == name.namespace)
        };
        self.0
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(move |(name, _)| inside(name))
    }

    /// A metric with exactly these dimensions, in one unit or in all: units and what samples lie under.
    pub(crate) fn of_metric(
        &self,
        partition: &Partition,
        namespace: &str,
        metric: &str,
        dimensions: &[(String, String)],
        unit: Option<&str>,
    ) -> Vec<(String, u64)> {
        let first = Name {
            account: partition.account.to_string(),
            region: partition.region.to_string(),
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions: dimensions.to_vec(),
            unit: String::new(),
        };
        let same = |name: &&Name| {
            name.account == first.account
                && name.region == first.region
                && name.namespace == namespace
                && name.metric == metric
                && name.dimensions == dimensions
        };
        self.0
            .range((Bound::Included(first.clone()), Bound::Unbounded))
            .take_while(|(name, _)| same(name))
            .filter(|(name, _)| unit.is_none_or(|unit| unit == name.unit))
            .map(|(name, series)| (name.unit.clone(), series.id))
            .collect()
    }
}
