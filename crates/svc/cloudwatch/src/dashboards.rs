//! Dashboards: named texts that consoles draw. They belong to an account, not to a region of it.

pub(crate) mod body;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;

use std::sync::Arc;

use roadstead_base::{AccountId, Partition, Region, Tags, Timestamp};
use roadstead_store::{Key, Store, Table};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const TABLE: &str = "cloudwatch-dashboard";
/// Where records of no region lie.
const NOWHERE: &str = "aws-global";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DashboardRecord {
    pub name: String,
    pub body: String,
    pub tags: Tags,
    pub modified_at: Timestamp,
}

pub(crate) fn table(store: &Arc<dyn Store>) -> Table<DashboardRecord> {
    Table::new(Arc::clone(store), TABLE)
}

/// Above every dashboard of an account.
#[allow(clippy::expect_used)] // the name is a region's
pub(crate) fn all(account: &AccountId) -> Key {
    let region: Region = NOWHERE.parse().expect("a region's name");
    let partition = Partition {
        account: account.clone(),
        region,
    };
    Key::of(&partition).child(TABLE)
}

pub(crate) fn key(account: &AccountId, name: &str) -> Key {
    all(account).child(name)
}

pub(crate) fn arn(account: &AccountId, name: &str) -> String {
    format!("arn:aws:cloudwatch::{account}:dashboard/{name}")
}

/// Names have up to 255 letters, digits, `-` and `_`.
fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.len() <= 255 && name.chars().all(fits) {
        return Ok(());
    }
    let at = name
        .chars()
        .position(|c| !fits(c))
        .unwrap_or(name.chars().count().min(255));
    Err(Error::value(format!(
        "The value {name} for field DashboardName must have 1 to 255 letters, digits, - and _ alone: position {at}."
    )))
}
