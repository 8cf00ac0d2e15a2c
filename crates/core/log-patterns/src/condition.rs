//! Conditions joined by `&&` and `||`, the first binding closer, with parentheses; what the single conditions are is
//! the caller's business.

use crate::fault::Fault;
use crate::scan::Scanner;

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug)]
pub(crate) enum Condition<T> {
    One(T),
    All(Vec<Condition<T>>),
    Any(Vec<Condition<T>>),
}

impl<T> Condition<T> {
    pub(crate) fn parse(
        scanner: &mut Scanner<'_>,
        one: &mut dyn FnMut(&mut Scanner<'_>) -> Result<T, Fault>,
    ) -> Result<Self, Fault> {
        Self::any(scanner, one, 0)
    }

    fn any(
        scanner: &mut Scanner<'_>,
        one: &mut dyn FnMut(&mut Scanner<'_>) -> Result<T, Fault>,
        depth: usize,
    ) -> Result<Self, Fault> {
        if depth > MAX_DEPTH {
            return Err(scanner.fault("fewer parentheses"));
        }
        let mut parts = vec![Self::all(scanner, one, depth)?];
        while scanner.took("||") {
            parts.push(Self::all(scanner, one, depth)?);
        }
        Ok(single(parts).unwrap_or_else(Self::Any))
    }

    fn all(
        scanner: &mut Scanner<'_>,
        one: &mut dyn FnMut(&mut Scanner<'_>) -> Result<T, Fault>,
        depth: usize,
    ) -> Result<Self, Fault> {
        let mut parts = vec![Self::part(scanner, one, depth)?];
        while scanner.took("&&") {
            parts.push(Self::part(scanner, one, depth)?);
        }
        Ok(single(parts).unwrap_or_else(Self::All))
    }

    fn part(
        scanner: &mut Scanner<'_>,
        one: &mut dyn FnMut(&mut Scanner<'_>) -> Result<T, Fault>,
        depth: usize,
    ) -> Result<Self, Fault> {
        if scanner.took("(") {
            let inner = Self::any(scanner, one, depth + 1)?;
            scanner.expect(")")?;
            return Ok(inner);
        }
        one(scanner).map(Self::One)
    }

    pub(crate) fn holds(&self, one: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Self::One(condition) => one(condition),
            Self::All(parts) => parts.iter().all(|part| part.holds(one)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(one)),
        }
    }

    /// Every single condition.
    pub(crate) fn each<'c>(&'c self, found: &mut Vec<&'c T>) {
        match self {
            Self::One(condition) => found.push(condition),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each(found)),
        }
    }
}

/// The only part, or the parts back.
fn single<T>(mut parts: Vec<Condition<T>>) -> Result<Condition<T>, Vec<Condition<T>>> {
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => {
            parts.push(last);
            Err(parts)
        }
        None => Err(parts),
    }
}
