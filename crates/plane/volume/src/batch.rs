//! What is written together.

use fjall::Keyspace;

use crate::space::Space;

/// Writes to any spaces of one volume.
#[derive(Default)]
#[must_use = "a batch does nothing until it is written"]
pub struct Batch(pub(crate) Vec<Write>);

pub(crate) struct Write {
    pub space: Keyspace,
    pub key: Vec<u8>,
    /// None deletes.
    pub value: Option<Vec<u8>>,
}

impl Batch {
    pub fn put(&mut self, space: &Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(space, key.into(), Some(value.into()));
    }

    pub fn delete(&mut self, space: &Space, key: impl Into<Vec<u8>>) {
        self.push(space, key.into(), None);
    }

    fn push(&mut self, space: &Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.0.push(Write {
            space: space.keyspace.clone(),
            key,
            value,
        });
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
