//! Pages of listings: as many items as asked for and no more than an operation gives, and a marker that names the last.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

/// A key that sorts by its parts.
pub(crate) fn key(parts: &[&str]) -> String {
    parts.join("\u{1}")
}

/// The items of a page, which come with keys in order, and the marker of the next. `scope` is the operation and whatever
/// the marker must not be carried across.
pub(crate) fn cut<T>(
    ctx: &Ctx,
    scope: &str,
    mut items: Vec<(String, T)>,
    marker: Option<&str>,
    wanted: Option<i32>,
    most: usize,
) -> Result<(Vec<T>, Option<String>)> {
    let scope = format!("lambda/{}/{}/{scope}", ctx.account, ctx.region);
    let after = marker
        .map(|marker| ctx.pager.decode(&scope, marker))
        .transpose()
        .map_err(|_| Error::invalid("Invalid Marker: it was not issued for this list."))?;
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let size = wanted
        .and_then(|wanted| usize::try_from(wanted).ok())
        .map_or(most, |wanted| wanted.clamp(1, most));
    let mut rest = items
        .into_iter()
        .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
    let page: Vec<(String, T)> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|(key, _)| ctx.pager.encode(&scope, key));
    Ok((page.into_iter().map(|(_, item)| item).collect(), next))
}
