//! Reading a path.

use serde_json::Value;
use unicode_ident::{is_xid_continue, is_xid_start};

use super::filter::{Comparison, Filter, Operand};
use super::function::Function;
use super::{Path, PathFault, Root, Selector};

/// How deep filters may nest.
const DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Path, PathFault> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
    };
    let root = parser.root()?;
    let (steps, function) = parser.steps(0, true)?;
    if parser.at < parser.text.len() {
        return parser.refuse("a path goes on with '.' or '['");
    }
    Ok(Path {
        text: text.to_owned(),
        root,
        steps,
        function,
    })
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

    fn skip(&mut self, expected: &str) -> bool {
        let fits = expected
            .chars()
            .enumerate()
            .all(|(index, one)| self.text.get(self.at + index) == Some(&one));
        if fits {
            self.at += expected.chars().count();
        }
        fits
    }

    fn expect(&mut self, expected: &str) -> Parsed<()> {
        if self.skip(expected) {
            Ok(())
        } else {
            self.refuse(&format!("'{expected}' was expected"))
        }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn root(&mut self) -> Parsed<Root> {
        self.expect("$")?;
        if self.skip("$") {
            return Ok(Root::Context);
        }
        let name = self.word(is_xid_continue);
        if name.is_empty() {
            return Ok(Root::Input);
        }
        if !name.starts_with(is_xid_start) {
            return self.refuse("a variable's name starts with a letter");
        }
        Ok(Root::Variable(name))
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// `functions`: whether one may end the path.
    fn steps(&mut self, depth: usize, functions: bool) -> Parsed<(Vec<Selector>, Option<Function>)> {
        let mut steps = Vec::new();
        loop {
            let descend = self.skip("..");
            if descend && self.peek() == Some('[') || !descend && self.peek() == Some('[') {
                let step = self.bracket(depth)?;
                steps.push(wrap(step, descend));
                continue;
            }
            if !descend && !self.skip(".") {
                return Ok((steps, None));
            }
            if self.skip("*") {
                steps.push(wrap(Selector::Wildcard, descend));
                continue;
            }
            let name = self.name(depth > 0)?;
            if name.is_empty() {
                return self.refuse("the name of a member was expected");
            }
            if functions && !descend && self.skip("()") {
                let Some(function) = Function::named(&name) else {
                    return self.refuse(&format!("there is no function '{name}'"));
                };
                return Ok((steps, Some(function)));
            }
            steps.push(wrap(Selector::Names(vec![name]), descend));
        }
    }

    /// A member after a dot. A backslash takes the meaning from what follows it; within a filter operators end a name.
    fn name(&mut self, filtering: bool) -> Parsed<String> {
        let ends = |one: char| {
            one.is_whitespace() || "[].,()'\"?@*:".contains(one) || filtering && "=<>!&|{}".contains(one)
        };
        let mut name = String::new();
        while let Some(one) = self.peek().filter(|one| !ends(*one)) {
            self.at += 1;
            if one != '\\' {
                name.push(one);
                continue;
            }
            let Some(meant) = self.peek() else {
                return self.refuse("a character was expected after the backslash");
            };
            name.push(meant);
            self.at += 1;
        }
        Ok(name)
    }

    fn bracket(&mut self, depth: usize) -> Parsed<Selector> {
        self.expect("[")?;
        self.space();
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Selector::Wildcard
            }
            Some('?') => {
                self.at += 1;
                self.space();
                self.expect("(")?;
                let filter = self.any(depth + 1)?;
                self.expect(")")?;
                Selector::Filter(filter)
            }
            Some('\'' | '"') => Selector::Names(self.list(Parser::quoted)?),
            _ => self.numbers()?,
        };
        self.space();
        self.expect("]")?;
        Ok(step)
    }

    fn list<T>(&mut self, one: impl Fn(&mut Parser) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = vec![one(self)?];
        self.space();
        while self.skip(",") {
            self.space();
            all.push(one(self)?);
            self.space();
        }
        Ok(all)
    }

    fn numbers(&mut self) -> Parsed<Selector> {
        let start = self.integer()?;
        self.space();
        if self.skip(":") {
            let end = self.integer()?;
            let step = if self.skip(":") {
                self.integer()?.unwrap_or(1)
            } else {
                1
            };
            if step < 1 {
                return self.refuse("a slice goes forward");
            }
            return Ok(Selector::Slice { start, end, step });
        }
        let Some(first) = start else {
            return self.refuse("an index, a name, a slice, '*' or a filter was expected");
        };
        let mut indices = vec![first];
        while self.skip(",") {
            self.space();
            match self.integer()? {
                Some(index) => indices.push(index),
                None => return self.refuse("an index was expected"),
            }
            self.space();
        }
        Ok(Selector::Indices(indices))
    }

    fn integer(&mut self) -> Parsed<Option<i64>> {
        self.space();
        let negative = self.skip("-");
        let digits = self.word(|one| one.is_ascii_digit());
        if digits.is_empty() {
            return if negative {
                self.refuse("digits were expected")
            } else {
                Ok(None)
            };
        }
        // Beyond 32 bits no array has items, and sums of indices stay within 64.
        let Ok(number) = digits.parse::<i32>() else {
            return self.refuse("the index is too large");
        };
        Ok(Some(if negative {
            -i64::from(number)
        } else {
            i64::from(number)
        }))
    }

    fn quoted(&mut self) -> Parsed<String> {
        let Some(quote @ ('\'' | '"')) = self.peek() else {
            return self.refuse("a quoted name was expected");
        };
        self.at += 1;
        let mut name = String::new();
        loop {
            match self.peek() {
                None => return self.refuse("the quote is not closed"),
                Some(one) if one == quote => break,
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(one) => name.push(one),
                        None => return self.refuse("the quote is not closed"),
                    }
                }
                Some(one) => name.push(one),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(name)
    }

    fn any(&mut self, depth: usize) -> Parsed<Filter> {
        if depth > DEPTH {
            return self.refuse("filters nest too deeply");
        }
        let mut filters = vec![self.all(depth)?];
        while self.skip("||") {
            filters.push(self.all(depth)?);
        }
        Ok(if filters.len() == 1 {
            filters.remove(0)
        } else {
            Filter::Any(filters)
        })
    }

    fn all(&mut self, depth: usize) -> Parsed<Filter> {
        let mut filters = vec![self.condition(depth)?];
        while self.skip("&&") {
            filters.push(self.condition(depth)?);
        }
        Ok(if filters.len() == 1 {
            filters.remove(0)
        } else {
            Filter::All(filters)
        })
    }

    fn condition(&mut self, depth: usize) -> Parsed<Filter> {
        self.space();
        if depth > DEPTH {
            return self.refuse("filters nest too deeply");
        }
        let filter = if self.skip("!") {
            Filter::Not(Box::new(self.condition(depth + 1)?))
        } else if self.skip("(") {
            let inner = self.any(depth + 1)?;
            self.expect(")")?;
            inner
        } else {
            let left = self.operand(depth)?;
            self.space();
            match self.comparison()? {
                Some(comparison) => Filter::Compare(left, comparison, self.operand(depth)?),
                None if matches!(left, Operand::Literal(_)) => {
                    return self.refuse("a comparison was expected");
                }
                None => Filter::Exists(left),
            }
        };
        self.space();
        Ok(filter)
    }

    fn comparison(&mut self) -> Parsed<Option<Comparison>> {
        let symbols = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if let Some((_, comparison)) = symbols.iter().find(|(symbol, _)| self.skip(symbol)) {
            return Ok(Some(*comparison));
        }
        let word = self.word(|one| one.is_ascii_alphabetic());
        Ok(Some(match word.to_ascii_lowercase().as_str() {
            "" if self.peek() == Some('=') => return self.refuse("the comparison is not supported"),
            "" => return Ok(None),
            "in" => Comparison::In,
            "nin" => Comparison::NotIn,
            "contains" => Comparison::Contains,
            "size" => Comparison::Size,
            "empty" => Comparison::Empty,
            _ => return self.refuse(&format!("the comparison '{word}' is not supported")),
        }))
    }

    fn operand(&mut self, depth: usize) -> Parsed<Operand> {
        self.space();
        if self.skip("@") {
            return Ok(Operand::Candidate(self.steps(depth, false)?.0));
        }
        if self.skip("$") {
            return Ok(Operand::Whole(self.steps(depth, false)?.0));
        }
        self.literal(depth).map(Operand::Literal)
    }

    fn literal(&mut self, depth: usize) -> Parsed<Value> {
        self.space();
        if depth > DEPTH {
            return self.refuse("values nest too deeply");
        }
        match self.peek() {
            Some('\'' | '"') => self.quoted().map(Value::String),
            Some('[') => {
                self.at += 1;
                self.space();
                let items = if self.peek() == Some(']') {
                    Vec::new()
                } else {
                    self.list(|one| one.literal(depth + 1))?
                };
                self.expect("]")?;
                Ok(Value::Array(items))
            }
            _ => {
                let word = self.word(|one| one.is_ascii_alphanumeric() || "+-.".contains(one));
                match serde_json::from_str(&word) {
                    Ok(value) => Ok(value),
                    Err(_) => self.refuse("a value was expected"),
                }
            }
        }
    }
}

fn wrap(step: Selector, descend: bool) -> Selector {
    if descend {
        Selector::Descend(Box::new(step))
    } else {
        step
    }
}
