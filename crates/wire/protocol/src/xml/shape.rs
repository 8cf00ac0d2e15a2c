//! XML as values, by their shapes. What a shape does not know is refused by its path.

use std::borrow::Cow;

use super::read::Element;
use super::write::flat_name;
use crate::check::{Violation, join};
use crate::model::{Kind, Member, ServiceModel, ShapeId};
use crate::text;
use crate::value::{Fields, Value};

/// The members of a structure that `wanted` keeps, from the children of an element.
///
/// # Errors
/// A child or attribute is unknown, or something has another type.
pub(crate) fn read_members(
    model: &ServiceModel,
    shape: ShapeId,
    element: Element,
    path: &str,
    wanted: impl Fn(&Member) -> bool,
) -> Result<Value, Violation> {
    let Kind::Structure { members, .. } = &model.shape(shape).kind else {
        return read_value(model, shape, false, vec![element], path);
    };
    no_text(&element, "structure", path)?;
    let mut fields = Fields::new();
    for (name, text) in &element.attributes {
        let known = |member: &&Member| member.attribute && wanted(member) && member.wire_name() == name;
        match members.iter().find(known) {
            Some(member) => {
                let kind = &model.shape(member.shape).kind;
                let value = text::scalar_at(kind, text, &join(path, member.name))?;
                fields.push((Cow::Borrowed(member.name), value));
            }
            None if name == "xmlns" || name.contains(':') => {}
            None => {
                return Err(Violation::Unknown {
                    path: join(path, name),
                });
            }
        }
    }
    let mut children = element.children;
    for member in members
        .iter()
        .filter(|member| wanted(member) && !member.attribute)
    {
        let name = member.wire_name();
        let kind = &model.shape(member.shape).kind;
        let (flat, other) = match kind {
            Kind::List {
                flattened,
                member: element,
                ..
            } => (*flattened || member.flattened, flat_name(name, element)),
            Kind::Map { flattened, .. } => (*flattened || member.flattened, name),
            _ => (false, name),
        };
        // Clients name the elements of a flattened list after the list or after its elements.
        let mine = |element: &Element| element.local() == name || (flat && element.local() == other);
        let (mine, rest): (Vec<_>, Vec<_>) = children.into_iter().partition(mine);
        children = rest;
        let path = join(path, member.name);
        match mine.len() {
            0 => {}
            many if many > 1 && !flat => {
                return Err(Violation::Type {
                    path,
                    wanted: "one element",
                    found: format!("{many}"),
                });
            }
            _ => {
                let value = read_value(model, member.shape, flat, mine, &path)?;
                fields.push((Cow::Borrowed(member.name), value));
            }
        }
    }
    match children.first() {
        Some(extra) => Err(Violation::Unknown {
            path: join(path, extra.local()),
        }),
        None => Ok(Value::Map(fields)),
    }
}

/// A value from its element, or, if it is flattened, from its elements.
///
/// # Errors
/// As [`read_members`].
pub(crate) fn read_value(
    model: &ServiceModel,
    shape: ShapeId,
    flat: bool,
    mut elements: Vec<Element>,
    path: &str,
) -> Result<Value, Violation> {
    let kind = &model.shape(shape).kind;
    match kind {
        Kind::List { member, .. } => {
            if !flat {
                elements = inside(elements, flat_name("member", member), "list", path)?;
            }
            elements
                .into_iter()
                .enumerate()
                .map(|(index, element)| {
                    read_value(
                        model,
                        member.shape,
                        false,
                        vec![element],
                        &format!("{path}[{index}]"),
                    )
                })
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Kind::Map { key, value, .. } => {
            if !flat {
                elements = inside(elements, "entry", "map", path)?;
            }
            let (key_name, value_name) = (flat_name("key", key), flat_name("value", value));
            elements
                .into_iter()
                .map(|entry| {
                    let (mut name, mut inner) = (None, None);
                    for child in entry.children {
                        match child.local() {
                            local if local == key_name && name.is_none() => name = Some(child.text),
                            local if local == value_name && inner.is_none() => inner = Some(child),
                            local => {
                                return Err(Violation::Unknown {
                                    path: join(path, local),
                                });
                            }
                        }
                    }
                    let (Some(name), Some(inner)) = (name, inner) else {
                        return Err(Violation::Missing {
                            path: format!("{path}.{key_name} or {path}.{value_name}"),
                        });
                    };
                    let value = read_value(model, value.shape, false, vec![inner], &join(path, &name))?;
                    Ok((Cow::Owned(name), value))
                })
                .collect::<Result<_, _>>()
                .map(Value::Map)
        }
        Kind::Structure { .. } => match elements.pop() {
            Some(element) => read_members(model, shape, element, path, |_| true),
            None => Ok(Value::empty()),
        },
        _ => {
            let element = elements.pop().unwrap_or_default();
            match element.children.first() {
                Some(extra) => Err(Violation::Unknown {
                    path: join(path, extra.local()),
                }),
                None => text::scalar_at(kind, &element.text, path),
            }
        }
    }
}

/// The children of the one element, all of the one name.
fn inside(
    mut elements: Vec<Element>,
    name: &str,
    wanted: &'static str,
    path: &str,
) -> Result<Vec<Element>, Violation> {
    let element = elements.pop().unwrap_or_default();
    no_text(&element, wanted, path)?;
    match element.children.iter().find(|child| child.local() != name) {
        Some(extra) => Err(Violation::Unknown {
            path: join(path, extra.local()),
        }),
        None => Ok(element.children),
    }
}

fn no_text(element: &Element, wanted: &'static str, path: &str) -> Result<(), Violation> {
    if element.text.trim().is_empty() {
        return Ok(());
    }
    Err(Violation::Type {
        path: path.to_owned(),
        wanted,
        found: "string".to_owned(),
    })
}
