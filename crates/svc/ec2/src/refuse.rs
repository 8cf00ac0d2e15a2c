//! Members that the API has and Roadstead does not act on yet. They are refused by name, unless they ask for
//! nothing: an empty list, a false, a zero, the documented default.

use crate::error::{Result, unsupported};

/// Any value is refused.
pub(crate) fn given<T>(member: &str, value: Option<T>) -> Result<()> {
    if value.is_some() {
        Err(unsupported(member))
    } else {
        Ok(())
    }
}

/// An empty text asks for nothing.
pub(crate) fn text(member: &str, value: Option<String>) -> Result<()> {
    given(member, value.filter(|text| !text.is_empty()))
}

/// An empty list asks for nothing.
pub(crate) fn list<T>(member: &str, value: Option<Vec<T>>) -> Result<()> {
    given(member, value.filter(|list| !list.is_empty()))
}

/// False asks for nothing.
pub(crate) fn flag(member: &str, value: Option<bool>) -> Result<()> {
    given(member, value.filter(|flag| *flag))
}

/// Zero asks for nothing.
pub(crate) fn count(member: &str, value: Option<i32>) -> Result<()> {
    given(member, value.filter(|count| *count != 0))
}
