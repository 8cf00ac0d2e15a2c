//! Reading a call.

use serde_json::{Number, Value};

use super::{Argument, Function, Intrinsic};
use crate::path::{Path, PathFault};

/// Calls within one another, as the developer guide bounds them.
const DEPTH: usize = 10;

pub(super) fn parse(text: &str) -> Result<Intrinsic, PathFault> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
    };
    let call = parser.call(1)?;
    if parser.at < parser.text.len() {
        return parser.refuse("nothing may follow the call");
    }
    Ok(call)
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

type Parsed<T> = Result<T, PathFault>;

impl Parser {
    fn refuse<T>(&self, message: &str) -> Parsed<T> {
        Err(PathFault {
            offset: self.at,
            message: message.to_owned(),
        })
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    fn call(&mut self, depth: usize) -> Parsed<Intrinsic> {
        if depth > DEPTH {
            return self.refuse("at most 10 intrinsic functions may be nested");
        }
        let start = self.at;
        let name = self.word(|one| one.is_ascii_alphanumeric() || one == '.');
        let Some(function) = name.strip_prefix("States.").and_then(Function::named) else {
            return self.refuse(&format!("there is no intrinsic function '{name}'"));
        };
        if self.peek() != Some('(') {
            return self.refuse("'(' was expected");
        }
        self.at += 1;
        let mut arguments = Vec::new();
        self.space();
        if self.peek() == Some(')') {
            self.at += 1;
        } else {
            loop {
                self.space();
                arguments.push(self.argument(depth)?);
                self.space();
                let next = self.peek();
                self.at += 1;
                match next {
                    Some(',') => {}
                    Some(')') => break,
                    _ => return self.refuse("',' or ')' was expected"),
                }
            }
        }
        if !function.takes(arguments.len()) {
            return self.refuse(&format!(
                "{} does not take {} arguments",
                function.name(),
                arguments.len()
            ));
        }
        Ok(Intrinsic {
            text: self.text[start..self.at].iter().collect(),
            function,
            arguments,
        })
    }

    fn argument(&mut self, depth: usize) -> Parsed<Argument> {
        match self.peek() {
            Some('\'') => self.string().map(Argument::Text),
            Some('$') => self.path(),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let word = self.word(|one| one.is_ascii_alphanumeric() || "+-.".contains(one));
                let value = match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    number => match number.parse::<Number>() {
                        Ok(number) => Value::Number(number),
                        Err(_) => {
                            return self.refuse("a string in ', a number, a path or a call was expected");
                        }
                    },
                };
                Ok(Argument::Literal(value))
            }
        }
    }

    /// As it is written: what its backslashes mean depends on the function.
    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return self.refuse("the string is not closed"),
                Some('\'') => break,
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(one) => text.extend(['\\', one]),
                        None => return self.refuse("the string is not closed"),
                    }
                }
                Some(one) => text.push(one),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(text)
    }

    /// Up to the ',' or ')' that is not within brackets, parentheses or quotes of the path.
    fn path(&mut self) -> Parsed<Argument> {
        let start = self.at;
        let mut open = 0usize;
        let mut quote = None;
        while let Some(one) = self.peek() {
            match (quote, one) {
                (_, '\\') => self.at += 1,
                (Some(mark), _) if one == mark => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(one),
                (None, '[' | '(') => open += 1,
                (None, ',' | ')') if open == 0 => break,
                (None, ']' | ')') => open = open.saturating_sub(1),
                (None, _) => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.text.len());
        let text: String = self.text[start..self.at].iter().collect();
        match Path::parse(text.trim_end()) {
            Ok(path) => Ok(Argument::Path(path)),
            Err(fault) => Err(PathFault {
                offset: start + fault.offset,
                message: fault.message,
            }),
        }
    }
}
