//! What a pattern is filed under. Any choice is right; a good one is rare among events, for which what others are
//! filed under, and how, is the best guess at hand.

use std::sync::Arc;

use crate::leaf::{Test, Text};
use crate::matcher::path::PathNode;
use crate::pattern::{Field, Fields};

/// A field by its path, and what its value must be like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Anchor {
    pub path: Vec<Arc<str>>,
    pub like: Like,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Like {
    Text(Box<str>),
    /// In lower case.
    AnyCase(Box<str>),
    /// A number by its bits; zero is positive.
    Number(u64),
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// Any value at all.
    Present,
}

/// The bits by which equal numbers are equal.
pub(crate) fn bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}

/// Anchors of which every event that matches has one; empty if there is no such choice.
pub(crate) fn choose(fields: &Fields, root: &PathNode) -> Vec<Anchor> {
    best(fields, &mut Vec::new(), root).map_or_else(Vec::new, |(_, anchors)| anchors)
}

/// The cheapest choice with its cost, which says how many patterns are found in vain.
fn best(fields: &Fields, path: &mut Vec<Arc<str>>, root: &PathNode) -> Option<(usize, Vec<Anchor>)> {
    let mut choices = Vec::new();
    for (name, field) in &fields.all_of {
        path.push(name.clone());
        choices.extend(match field {
            Field::Leaf(tests) => leaf(tests, path, root),
            Field::Nested(nested) => best(nested, path, root),
        });
        path.pop();
    }
    for group in &fields.any_of {
        let parts: Option<Vec<_>> = group.iter().map(|fields| best(fields, path, root)).collect();
        choices.extend(parts.map(together));
    }
    // Of equal ones the deepest: what is special to an event lies deeper than what is common to many.
    choices.into_iter().min_by_key(|(cost, anchors)| {
        let depth = anchors
            .iter()
            .map(|anchor| anchor.path.len())
            .min()
            .unwrap_or_default();
        (*cost, std::cmp::Reverse(depth))
    })
}

fn together(parts: Vec<(usize, Vec<Anchor>)>) -> (usize, Vec<Anchor>) {
    let cost = parts.iter().map(|(cost, _)| cost).sum();
    (cost, parts.into_iter().flat_map(|(_, anchors)| anchors).collect())
}

fn leaf(tests: &[Test], path: &[Arc<str>], root: &PathNode) -> Option<(usize, Vec<Anchor>)> {
    let parts: Option<Vec<_>> = tests
        .iter()
        .map(|test| {
            let (breadth, like) = like(test)?;
            let anchor = Anchor {
                path: path.to_vec(),
                like,
            };
            Some((breadth + root.filed(&anchor), vec![anchor]))
        })
        .collect();
    parts.map(together)
}

/// What a value that passes is like, with a guess at how many patterns that finds in vain.
fn like(test: &Test) -> Option<(usize, Like)> {
    const BROAD: usize = 1_000;
    const BROADEST: usize = 10_000;
    Some(match test {
        Test::Absent => return None,
        Test::Text(text) => text_like(text),
        Test::Number(number) => (0, Like::Number(bits(*number))),
        Test::Numeric(range) => match range.only() {
            Some(number) => (0, Like::Number(bits(number))),
            None => (BROAD, Like::Present),
        },
        Test::Null | Test::Bool(_) | Test::Cidr(_) => (BROAD, Like::Present),
        Test::Present | Test::NoneOf(_) | Test::NoText(_) => (BROADEST, Like::Present),
    })
}

fn text_like(text: &Text) -> (usize, Like) {
    let breadth = |part: &str| 64 / (part.len() + 1) + 1;
    match text {
        Text::Is(text) => (0, Like::Text(text.as_str().into())),
        Text::IsAnyCase(text) => (0, Like::AnyCase(text.as_str().into())),
        Text::Prefix(prefix) => (breadth(prefix), Like::Prefix(prefix.as_str().into())),
        Text::Suffix(suffix) => (breadth(suffix), Like::Suffix(suffix.as_str().into())),
        Text::Wildcard(wildcard) => match wildcard.ends() {
            ("", "") => (1_000, Like::Present),
            (first, last) if first.len() >= last.len() => (breadth(first), Like::Prefix(first.into())),
            (_, last) => (breadth(last), Like::Suffix(last.into())),
        },
        Text::PrefixAnyCase(_) | Text::SuffixAnyCase(_) => (1_000, Like::Present),
    }
}
