//! Two tables to try records with.
#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;

use roadstead_base::Partition;
use roadstead_store::{Store, Table};
use serde::{Deserialize, Serialize};

use super::Fixture;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boat {
    pub name: String,
    pub berth: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crew {
    pub hands: u32,
}

pub fn boat(name: &str, berth: u32) -> Boat {
    Boat {
        name: name.to_owned(),
        berth,
    }
}

pub fn at(account: &str, region: &str) -> Partition {
    Partition {
        account: account.parse().unwrap(),
        region: region.parse().unwrap(),
    }
}

pub fn home() -> Partition {
    at("000000000000", "us-east-1")
}

pub struct Harbour {
    pub store: Arc<dyn Store>,
    pub boats: Table<Boat>,
    pub crews: Table<Crew>,
    pub fixture: Fixture,
}

pub fn harbour(mut f: Fixture) -> Harbour {
    let store: Arc<dyn Store> = f.store.take().unwrap();
    Harbour {
        boats: Table::new(store.clone(), "boat"),
        crews: Table::new(store.clone(), "crew"),
        store,
        fixture: f,
    }
}
