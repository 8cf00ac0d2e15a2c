//! `awslogs-datetime-format`: a date as `strftime` writes it, which begins an event where a line has it. What is not a
//! specifier is a regular expression, as the documented examples (`\[%b %d, %Y %H:%M:%S\]`) need it to be.

use regex::Regex;

use crate::options::last_line;

/// The pattern that finds such a date, or why there is none.
pub(crate) fn pattern(format: &str) -> Result<Regex, String> {
    let mut pattern = String::with_capacity(format.len() * 4);
    let mut chars = format.chars();
    while let Some(next) = chars.next() {
        if next != '%' {
            pattern.push(next);
            continue;
        }
        let Some(letter) = chars.next() else {
            return Err("it ends within a specifier".to_owned());
        };
        let part = specifier(letter).ok_or_else(|| format!("%{letter} is not one of its specifiers"))?;
        pattern.push_str(part);
    }
    Regex::new(&pattern).map_err(|error| last_line(&error))
}

/// What a specifier stands for. Source: the table on Docker's page of this driver.
fn specifier(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat)",
        'A' => "(?:Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday)",
        'w' => "[0-6]",
        'd' => "(?:0[1-9]|[12][0-9]|3[01])",
        'b' => "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
        'B' => "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
        'm' => "(?:0[1-9]|1[0-2])",
        'Y' => "[0-9]{4}",
        'y' => "[0-9]{2}",
        'H' => "(?:[01][0-9]|2[0-3])",
        'I' => "(?:0[1-9]|1[0-2])",
        'p' => "[AP]M",
        'M' => "[0-5][0-9]",
        'S' => "(?:[0-5][0-9]|60)",
        'L' => r"\.[0-9]{3}",
        'f' => "[0-9]{6}",
        'z' => "[+-][0-9]{4}",
        'Z' => "[A-Z]{1,4}T",
        'j' => "(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
        '%' => "%",
        _ => return None,
    })
}
