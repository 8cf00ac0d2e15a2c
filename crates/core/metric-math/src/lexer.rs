//! Text in tokens, each with its column.

use crate::fault::Fault;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    /// Of an `Id`, which begins with a lower-case letter.
    Name(String),
    /// Of a function or a keyword.
    Word(String),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 20] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", "{", "}",
];

pub(crate) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let column = at + 1;
        if first.is_whitespace() {
            at += 1;
        } else if first.is_ascii_digit()
            || (first == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit))
        {
            let end = number_end(&chars, at);
            let digits: String = chars[at..end].iter().collect();
            let number = digits.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| Fault::syntax(column, format!("{digits} is not a number")))?;
            tokens.push((column, Token::Number(number)));
            at = end;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word: String = chars[at..]
                .iter()
                .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
                .collect();
            at += word.len();
            let token = if first.is_ascii_lowercase() {
                Token::Name(word)
            } else {
                Token::Word(word)
            };
            tokens.push((column, token));
        } else if first == '"' || first == '\'' {
            let (text, end) = quoted(&chars, at)?;
            tokens.push((column, Token::Text(text)));
            at = end;
        } else {
            let sign = SIGNS
                .iter()
                .find(|sign| sign.chars().eq(chars[at..].iter().take(sign.len()).copied()))
                .ok_or_else(|| Fault::syntax(column, format!("Unexpected character {first:?}")))?;
            tokens.push((column, Token::Sign(sign)));
            at += sign.len();
        }
    }
    tokens.push((chars.len() + 1, Token::End));
    Ok(tokens)
}

/// Digits, decimals and an exponent, as far as they belong together.
fn number_end(chars: &[char], start: usize) -> usize {
    let digits = |from: usize| from + chars[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = digits(start);
    if chars.get(end) == Some(&'.') {
        end = digits(end + 1);
    }
    if matches!(chars.get(end), Some('e' | 'E')) {
        let sign = usize::from(matches!(chars.get(end + 1), Some('+' | '-')));
        let exponent = digits((end + 1 + sign).min(chars.len()));
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// What stands between two like quotes. A backslash keeps a quote, and itself, from being taken for what they are;
/// before any other character it stands for itself, since search expressions have escapes of their own.
fn quoted(chars: &[char], start: usize) -> Result<(String, usize), Fault> {
    let quote = chars[start];
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        match chars.get(at) {
            None => return Err(Fault::syntax(start + 1, "The quote is not closed")),
            Some(c) if *c == quote => return Ok((text, at + 1)),
            Some('\\') if chars.get(at + 1) == Some(&quote) => {
                text.push(quote);
                at += 2;
            }
            Some(c) => {
                text.push(*c);
                at += 1;
            }
        }
    }
}
