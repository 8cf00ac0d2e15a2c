//! Pages of a listing. The items are what the caller collected, in order; a token names the last one shown, so
//! that a listing goes on correctly after items came and went, and after a restart.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

/// The most items of one page, and what it has when no number is asked for.
const PAGE: usize = 100;

/// The page asked for.
pub(crate) struct Paging {
    scope: String,
    after: Option<String>,
    limit: usize,
}

/// One page, and the token of the next.
#[derive(Debug, PartialEq)]
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_token: Option<String>,
}

impl Paging {
    /// `filters` is the operation and whatever its token must not be carried across. `max_results` is 1 to 100.
    pub(crate) fn of(
        ctx: &Ctx,
        filters: &[&str],
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<Self> {
        let limit = match max_results {
            None => PAGE,
            Some(asked) => usize::try_from(asked)
                .ok()
                .filter(|asked| (1..=PAGE).contains(asked))
                .ok_or_else(|| Error::invalid("maxResults must be between 1 and 100."))?,
        };
        let mut scope = format!("ecs/{}/{}", ctx.account, ctx.region);
        for filter in filters {
            scope.push_str(&format!("/{}:{filter}", filter.len()));
        }
        let after = match next_token {
            None | Some("") => None,
            Some(token) => {
                let cursor = ctx.pager.decode(&scope, token);
                Some(cursor.map_err(|_| Error::invalid("Invalid token in the request: nextToken"))?)
            }
        };
        Ok(Self { scope, after, limit })
    }

    /// With pages of another size when the request asks for none.
    pub(crate) fn up_to(mut self, max_results: Option<i32>, default: usize) -> Self {
        if max_results.is_none() {
            self.limit = default;
        }
        self
    }

    /// The items behind the cursor. `items` are in order of `cursor`; with `descending`, in reverse order.
    pub(crate) fn cut<T>(
        &self,
        ctx: &Ctx,
        items: impl IntoIterator<Item = T>,
        cursor: impl Fn(&T) -> String,
        descending: bool,
    ) -> Paged<T> {
        let mut items = items.into_iter().skip_while(|item| match &self.after {
            None => false,
            Some(after) if descending => cursor(item) >= *after,
            Some(after) => cursor(item) <= *after,
        });
        let page: Vec<T> = items.by_ref().take(self.limit).collect();
        let more = items.next().is_some();
        let next_token = page
            .last()
            .filter(|_| more)
            .map(|last| ctx.pager.encode(&self.scope, &cursor(last)));
        Paged {
            items: page,
            next_token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::ctx;

    fn page(descending: bool, max: Option<i32>, token: Option<&str>) -> Result<Paged<u32>> {
        let ctx = ctx();
        let paging = Paging::of(&ctx, &["List"], max, token)?;
        let items: Vec<u32> = if descending {
            (0..250).rev().collect()
        } else {
            (0..250).collect()
        };
        Ok(paging.cut(&ctx, items, |item| format!("{item:03}"), descending))
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        for descending in [false, true] {
            for max in [None, Some(1), Some(7), Some(100)] {
                let (mut seen, mut token) = (Vec::new(), None);
                loop {
                    let paged = page(descending, max, token.as_deref()).expect("a page");
                    assert!(paged.items.len() <= 100);
                    seen.extend(paged.items);
                    token = paged.next_token;
                    if token.is_none() {
                        break;
                    }
                }
                if descending {
                    seen.reverse();
                }
                assert_eq!(seen, (0..250).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn odd_sizes_and_foreign_tokens_are_refused() {
        for max in [0, -1, 101] {
            assert!(page(false, Some(max), None).is_err(), "{max}");
        }
        assert!(page(false, None, Some("forged")).is_err());
        let ctx = ctx();
        let other = ctx.pager.encode("ecs/000000000000/us-east-1/5:Other", "001");
        assert!(page(false, None, Some(&other)).is_err());
    }
}
