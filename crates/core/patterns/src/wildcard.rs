//! `{"wildcard": "a*b"}`: stars stand for any characters, a backslash takes a star or a backslash as it is.

/// The text between the stars; one part if there is no star.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<String>);

impl Wildcard {
    /// # Errors
    /// What is wrong, in Ruler's words.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = vec![String::new()];
        let mut chars = text.chars();
        let mut after_star = false;
        while let Some(next) = chars.next() {
            let taken = match next {
                '*' if after_star => return Err("Consecutive wildcard characters are not allowed"),
                '*' => {
                    parts.push(String::new());
                    after_star = true;
                    continue;
                }
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => return Err("Invalid escape character: a backslash stands before * or \\ only"),
                },
                plain => plain,
            };
            after_star = false;
            if let Some(part) = parts.last_mut() {
                part.push(taken);
            }
        }
        Ok(Self(parts))
    }

    /// What every match begins with, and what it ends with.
    pub(crate) fn ends(&self) -> (&str, &str) {
        let (first, last) = (self.0.first(), self.0.last());
        (first.map_or("", String::as_str), last.map_or("", String::as_str))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|whole| whole == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        // The first place that fits is as good as any later one.
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, matches) in [
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("a*b", "axxbc", false),
            ("*", "", true),
            ("*.txt", "a.txt", true),
            ("a*a", "a", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "ba", false),
            ("ab*ab*ab", "abab", false),
            ("ab*ab*ab", "ababab", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\x", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("ü*", "über", true),
        ] {
            assert_eq!(
                Wildcard::parse(pattern).expect(pattern).matches(text),
                matches,
                "{pattern} {text}"
            );
        }
        for bad in ["a**b", r"a\b", r"a\"] {
            assert!(Wildcard::parse(bad).is_err(), "{bad}");
        }
    }
}
