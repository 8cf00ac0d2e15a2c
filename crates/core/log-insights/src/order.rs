//! The order of `sort`: as documented, whatever is no number before every number; within what is none, runs of digits by
//! length and then by value, all else by Unicode.

use std::cmp::Ordering;

use crate::value::Value;

pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.text().cmp(&b.text())),
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (None, None) => match (a.text(), b.text()) {
            (Some(a), Some(b)) => natural(&a, &b),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
        },
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Json(_) => None,
        value => value.number(),
    }
}

fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) {
        let ordering = if one.is_ascii_digit() && other.is_ascii_digit() {
            let (x, y) = (run(left), run(right));
            (left, right) = (&left[x.len()..], &right[y.len()..]);
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (left, right) = (&left[one.len_utf8()..], &right[other.len_utf8()..]);
            one.cmp(&other)
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    left.len().cmp(&right.len())
}

fn run(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference's page for `sort`.
    #[test]
    fn the_documented_order() {
        let order = [
            "!:",
            "#",
            "*%04",
            "0#",
            "5A",
            "111A",
            "2345_",
            "@",
            "@_",
            "A",
            "A9876fghj",
            "a12345hfh",
            "0",
            "01",
            "1",
            "2",
            "3",
        ];
        for pair in order.windows(2) {
            let [a, b] = [Value::text_of(pair[0]), Value::text_of(pair[1])];
            assert_eq!(compare(&a, &b), Ordering::Less, "{pair:?}");
            assert_eq!(compare(&b, &a), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare(&Value::Null, &Value::text_of("!")), Ordering::Less);
    }
}
