//! Partial matches: texts are cut into tokens where capitals, digits and other characters say so, and a term is found
//! where its tokens are found one after the other.

/// The tokens of a text as they are written there.
pub(super) fn tokens(text: &str) -> Vec<String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Class {
        Upper,
        Lower,
        Digit,
        Other,
    }
    let class = |c: char| match c {
        c if c.is_uppercase() => Class::Upper,
        c if c.is_numeric() => Class::Digit,
        c if c.is_alphabetic() => Class::Lower,
        _ => Class::Other,
    };
    let chars: Vec<char> = text.chars().collect();
    let mut all: Vec<String> = Vec::new();
    let mut before = Class::Other;
    for (index, c) in chars.iter().enumerate() {
        let now = class(*c);
        let follows = chars.get(index + 1).map(|next| class(*next));
        let begins = match (before, now) {
            (_, Class::Other) => false,
            // Of capitals in a row the last one belongs to what follows: SDBFailure is SDB and Failure.
            (Class::Upper, Class::Upper) => follows == Some(Class::Lower),
            (Class::Upper, Class::Lower) => false,
            (before, now) => before != now,
        };
        if begins {
            all.push(String::new());
        }
        if now != Class::Other
            && let Some(last) = all.last_mut()
        {
            last.push(*c);
        }
        before = now;
    }
    all
}

/// A single token is found whatever its case, also as the whole of a text; several are found one after the other, and as
/// they are written if nothing but their case and digits tells them apart.
pub(super) fn matches(term: &str, text: &str) -> bool {
    let (wanted, present) = (tokens(term), tokens(text));
    if wanted.is_empty() {
        return false;
    }
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    if same(&wanted.concat(), &present.concat()) {
        return true;
    }
    let delimited = term.trim().chars().any(|c| !c.is_alphanumeric());
    let whatever_case = wanted.len() == 1 || delimited;
    present.windows(wanted.len()).any(|window| {
        let mut pairs = window.iter().zip(&wanted);
        pairs.all(|(a, b)| if whatever_case { same(a, b) } else { a == b })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_documented() {
        for (text, wanted) in [
            ("CustomCount1", &["Custom", "Count", "1"][..]),
            ("SDBFailure", &["SDB", "Failure"]),
            ("Project2-trial333", &["Project", "2", "trial", "333"]),
            ("Network-Errors_2", &["Network", "Errors", "2"]),
            ("couNT", &["cou", "NT"]),
            ("--", &[]),
            ("", &[]),
            ("AWS/EC2", &["AWS", "EC", "2"]),
        ] {
            assert_eq!(tokens(text), wanted, "{text}");
        }
    }

    #[test]
    fn terms_are_found_as_documented() {
        for (term, text, wanted) in [
            ("count", "CustomCount1", true),
            ("Count", "CustomCount1", true),
            ("COUNT", "CustomCount1", true),
            ("couNT", "CustomCount1", false),
            ("CustomCount", "CustomCount1", true),
            ("Count1", "CustomCount1", true),
            ("customcount", "CustomCount1", false),
            ("count1", "CustomCount1", false),
            ("customcount1", "CustomCount1", true),
            ("Custom1", "CustomCount1", false),
            ("network/errors", "Network-Errors-2", true),
            ("network+errors", "NetworkErrors2", true),
            ("network-errors", "Network-Errors-2", true),
            ("Network_Errors", "NetworkErrors2", true),
            ("EC2", "AWS/EC2", true),
            ("AWS", "AWS/EC2", true),
            ("i-1234567890123456", "i-1234567890123456", true),
            ("i-1234567890123456", "i-1234567890123457", false),
            ("-", "a-b", false),
        ] {
            assert_eq!(matches(term, text), wanted, "{term} in {text}");
        }
    }
}
