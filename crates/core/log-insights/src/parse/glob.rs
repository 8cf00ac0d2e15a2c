//! Patterns of `parse`: text in which each `*` takes what stands there.

/// The regular expression of a glob, and how many stars it has. A star takes as little as it can, the last one, if
/// nothing stands behind it, the rest of the text.
pub(super) fn regex(glob: &str) -> (String, usize) {
    let parts: Vec<&str> = glob.split('*').collect();
    let stars = parts.len() - 1;
    let mut pattern = String::from("(?s)");
    for (index, part) in parts.iter().enumerate() {
        pattern.push_str(&regex::escape(part));
        if index < stars {
            let last = index + 1 == stars && parts[stars].is_empty();
            pattern.push_str(if last { "(.*)" } else { "(.*?)" });
        }
    }
    (pattern, stars)
}
