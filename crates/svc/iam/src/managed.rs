//! The managed policies that every account has. Actions and resources are facts of the public AWS Managed Policy
//! Reference; descriptions are our own. Only policies that could be stated whole are here.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use roadstead_base::Timestamp;
use roadstead_policy::{Kind, Policy, parse};
use serde::Deserialize;

const DATA: &str = include_str!("../data/managed.json");
/// When all of them were made: 2015-02-06T18:39:46Z.
pub(crate) const CREATED: Timestamp = Timestamp(1_423_247_986_000);

#[derive(Deserialize)]
struct Read {
    name: String,
    path: String,
    description: String,
    document: serde_json::Value,
}

/// One of them. Its only version is `v1`.
pub(crate) struct Managed {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) document: String,
    pub(crate) policy: Arc<Policy>,
}

#[allow(clippy::expect_used)] // the data stands in the binary, and a test reads all of it
fn all_by_arn() -> &'static HashMap<String, Managed> {
    static ALL: OnceLock<HashMap<String, Managed>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read: Vec<Read> = serde_json::from_str(DATA).expect("the data is JSON");
        read.into_iter()
            .map(|read| {
                let Read {
                    name,
                    path,
                    description,
                    document,
                } = read;
                let arn = format!("arn:aws:iam::aws:policy{path}{name}");
                let document = serde_json::to_string_pretty(&document).expect("JSON can be written");
                let policy = parse(&document, Kind::Identity).expect("the data are policies");
                let managed = Managed {
                    id: crate::ids::fixed("ANPA", &arn),
                    name,
                    path,
                    arn: arn.clone(),
                    description,
                    document,
                    policy: Arc::new(policy),
                };
                (arn, managed)
            })
            .collect()
    })
}

pub(crate) fn find(arn: &str) -> Option<&'static Managed> {
    all_by_arn().get(arn)
}

/// In order of their names.
pub(crate) fn all() -> Vec<&'static Managed> {
    let mut all: Vec<_> = all_by_arn().values().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_one_of_them_is_a_policy() {
        assert!(super::all().len() >= 40);
        assert!(super::find("arn:aws:iam::aws:policy/AdministratorAccess").is_some());
        assert!(
            super::find("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy").is_some()
        );
        assert!(super::find("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy").is_none());
    }
}
