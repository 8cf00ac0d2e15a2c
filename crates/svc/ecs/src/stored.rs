//! How the API's own structures are kept in records: as the JSON a client would see, so that a stored record can
//! be read by a person and no second set of structures has to follow the first.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use roadstead_api_ecs::{MODEL, TaskDefinition, TaskOverride};
use roadstead_protocol::{ShapeId, Value, Wire, json};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A structure of the API, and what the model calls it.
pub trait Shaped: Wire + Clone {
    const SHAPE: &'static str;
}

impl Shaped for TaskDefinition {
    const SHAPE: &'static str = "TaskDefinition";
}

impl Shaped for TaskOverride {
    const SHAPE: &'static str = "TaskOverride";
}

/// An API structure inside a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored<T>(pub T);

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

fn shape(name: &str) -> Option<ShapeId> {
    static SHAPES: OnceLock<HashMap<&'static str, ShapeId>> = OnceLock::new();
    let shapes = SHAPES.get_or_init(|| {
        (0..)
            .zip(MODEL.shapes)
            .map(|(id, shape)| (shape.name, id))
            .collect()
    });
    shapes.get(name).copied()
}

impl<T: Shaped> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = shape(T::SHAPE).ok_or_else(|| serde::ser::Error::custom(unknown(T::SHAPE)))?;
        json::to_json(&MODEL, shape, self.0.clone().into_value()).serialize(serializer)
    }
}

impl<'de, T: Shaped> Deserialize<'de> for Stored<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shape = shape(T::SHAPE).ok_or_else(|| D::Error::custom(unknown(T::SHAPE)))?;
        let json = serde_json::Value::deserialize(deserializer)?;
        let value = json::from_json(&MODEL, shape, json, T::SHAPE).map_err(D::Error::custom)?;
        T::from_value(value).map(Self).map_err(D::Error::custom)
    }
}

/// A structure of the API as its JSON.
pub(crate) fn shown<T: Shaped>(value: Value) -> Result<serde_json::Value, serde_json::Error> {
    let missing = || <serde_json::Error as serde::ser::Error>::custom(unknown(T::SHAPE));
    let shape = shape(T::SHAPE).ok_or_else(missing)?;
    Ok(json::to_json(&MODEL, shape, value))
}

fn unknown(shape: &str) -> String {
    format!("the model has no shape {shape}")
}

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{ContainerDefinition, NetworkMode};
    use roadstead_base::Timestamp;

    use super::*;

    #[test]
    fn definitions_come_back_as_they_were_kept() {
        let kept = Stored(TaskDefinition {
            family: Some("web".into()),
            network_mode: Some(NetworkMode::Awsvpc),
            registered_at: Some(Timestamp(1_700_000_000_123)),
            container_definitions: Some(vec![ContainerDefinition {
                essential: Some(true),
                ..Default::default()
            }]),
            ..Default::default()
        });
        let text = serde_json::to_string(&kept).expect("writes");
        assert!(text.contains(r#""networkMode":"awsvpc""#), "{text}");
        assert_eq!(
            serde_json::from_str::<Stored<TaskDefinition>>(&text).expect("reads"),
            kept
        );
        assert!(serde_json::from_str::<Stored<TaskDefinition>>(r#"{"nonsense":1}"#).is_err());
    }

    #[test]
    fn overrides_are_a_shape_of_the_model() {
        let kept = Stored(TaskOverride {
            cpu: Some("256".into()),
            ..Default::default()
        });
        let text = serde_json::to_string(&kept).expect("writes");
        assert_eq!(
            serde_json::from_str::<Stored<TaskOverride>>(&text).expect("reads"),
            kept
        );
    }
}
