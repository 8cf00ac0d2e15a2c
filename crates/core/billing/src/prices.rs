//! The table of prices, which an operator may replace.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The table that comes with Roadstead, with its source and date.
pub const DEFAULT: &str = include_str!("../prices.toml");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86,
    Arm,
}

impl Architecture {
    /// As tasks show it: `x86_64` or `arm64`.
    pub fn of(text: &str) -> Option<Self> {
        match text {
            "x86_64" => Some(Self::X86),
            "arm64" => Some(Self::Arm),
            _ => None,
        }
    }
}

/// US dollars an hour.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfArchitecture {
    pub vcpu_hour: f64,
    pub gb_hour: f64,
}

/// What a region charges.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    pub storage_gb_hour: f64,
    x86: OfArchitecture,
    arm: OfArchitecture,
}

impl Region {
    pub(crate) fn of(&self, architecture: Architecture) -> OfArchitecture {
        match architecture {
            Architecture::X86 => self.x86,
            Architecture::Arm => self.arm,
        }
    }
}

/// A table that cannot be charged by.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    #[error("it is no table of prices: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("its fallback {0} is none of its regions")]
    Fallback(String),
    #[error("a price of {0} is negative, or no number")]
    Price(String),
}

/// Prices by region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    fallback: String,
    regions: BTreeMap<String, Region>,
}

impl Prices {
    /// Those that Roadstead comes with; their source and date stand in the file.
    ///
    /// # Errors
    /// None: it is tried by a test.
    pub fn usual() -> Result<Self, PriceError> {
        Self::parse(DEFAULT)
    }

    /// # Errors
    /// [`PriceError`].
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let prices: Self = toml::from_str(text)?;
        if !prices.regions.contains_key(&prices.fallback) {
            return Err(PriceError::Fallback(prices.fallback));
        }
        for (name, region) in &prices.regions {
            let Region {
                storage_gb_hour,
                x86,
                arm,
            } = region;
            let all = [
                *storage_gb_hour,
                x86.vcpu_hour,
                x86.gb_hour,
                arm.vcpu_hour,
                arm.gb_hour,
            ];
            if all.iter().any(|price| !price.is_finite() || *price < 0.0) {
                return Err(PriceError::Price(name.clone()));
            }
        }
        Ok(prices)
    }

    /// A region's prices, and the name of the region they are of.
    pub fn of<'a>(&'a self, region: &'a str) -> (&'a str, Option<&'a Region>) {
        match self.regions.get(region) {
            Some(prices) => (region, Some(prices)),
            None => (&self.fallback, self.regions.get(&self.fallback)),
        }
    }
}
