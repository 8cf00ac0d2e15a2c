//! Expressions, by how strongly their operators bind: or, and, not, comparisons, sums, products, powers, signs.

use super::{MAX_DEPTH, MAX_OPERATORS, Parser};
use crate::ast::{Aggregate, AggregateKind, Expr, Operator};
use crate::fault::Fault;
use crate::functions::{self, Known};
use crate::lex::{Place, Token};
use crate::row::Field;
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let here = self.here();
            return Err(self.fault(
                (here, here),
                format!("more than {MAX_DEPTH} brackets inside each other"),
            ));
        }
        let mut left = self.conjunction()?;
        while self.takes_word("or")? {
            self.operator()?;
            left = binary(Operator::Or, left, self.conjunction()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Counts an operator: what is built of them is walked through for every event.
    fn operator(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            let here = self.here();
            return Err(self.fault(
                (here, here),
                format!("a query has at most {MAX_OPERATORS} operators"),
            ));
        }
        Ok(())
    }

    fn conjunction(&mut self) -> Result<Expr, Fault> {
        let mut left = self.negation()?;
        while self.takes_word("and")? {
            self.operator()?;
            left = binary(Operator::And, left, self.negation()?);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, Fault> {
        let mut negated = false;
        while self.takes_word("not")? {
            negated = !negated;
        }
        let inner = self.comparison()?;
        Ok(if negated {
            Expr::Not(Box::new(inner))
        } else {
            inner
        })
    }

    fn comparison(&mut self) -> Result<Expr, Fault> {
        let mut left = self.sum()?;
        loop {
            let operator = match self.peek()?.clone() {
                Token::Mark("=" | "==") => Operator::Equal,
                Token::Mark("!=") => Operator::Unequal,
                Token::Mark("<") => Operator::Less,
                Token::Mark("<=") => Operator::AtMost,
                Token::Mark(">") => Operator::Greater,
                Token::Mark(">=") => Operator::AtLeast,
                Token::Mark("=~") => {
                    self.next()?;
                    left = self.like(left)?;
                    continue;
                }
                _ if self.is_word("like")? => {
                    self.next()?;
                    left = self.like(left)?;
                    continue;
                }
                _ if self.is_word("in")? => {
                    self.next()?;
                    left = self.within(left)?;
                    continue;
                }
                _ if self.is_word("not")? => {
                    self.next()?;
                    let (word, place) = self.keyword("like or in")?;
                    let found = match word.as_str() {
                        "like" => self.like(left)?,
                        "in" => self.within(left)?,
                        _ => return Err(self.fault(place, "only like or in can follow not here")),
                    };
                    left = Expr::Not(Box::new(found));
                    continue;
                }
                _ => return Ok(left),
            };
            self.next()?;
            self.operator()?;
            left = binary(operator, left, self.sum()?);
        }
    }

    /// Behind `like`: a part of the text, or a regular expression.
    fn like(&mut self, text: Expr) -> Result<Expr, Fault> {
        if *self.peek()? == Token::Mark("/") {
            self.unread();
            if let Some((pattern, place)) = self.lexer.regex()? {
                return Ok(Expr::Matches(Box::new(text), self.compile(&pattern, place)?));
            }
        }
        Ok(Expr::Contains(Box::new(text), Box::new(self.sum()?)))
    }

    fn within(&mut self, wanted: Expr) -> Result<Expr, Fault> {
        self.expect("[")?;
        let mut list = Vec::new();
        while !self.takes("]")? {
            if !list.is_empty() {
                self.expect(",")?;
            }
            list.push(self.expression()?);
        }
        Ok(Expr::In(Box::new(wanted), list))
    }

    fn sum(&mut self) -> Result<Expr, Fault> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek()? {
                Token::Mark("+") => Operator::Add,
                Token::Mark("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.next()?;
            self.operator()?;
            left = binary(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let mut left = self.power()?;
        loop {
            let operator = match self.peek()? {
                Token::Mark("*") => Operator::Multiply,
                Token::Mark("/") => Operator::Divide,
                Token::Mark("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.next()?;
            self.operator()?;
            left = binary(operator, left, self.power()?);
        }
    }

    fn power(&mut self) -> Result<Expr, Fault> {
        let mut bases = vec![self.sign()?];
        while self.takes("^")? {
            self.operator()?;
            bases.push(self.sign()?);
        }
        // From the right: 2 ^ 3 ^ 2 is 2 ^ 9.
        let last = bases.pop();
        let folded = last.map(|last| {
            let power = |exponent, base| binary(Operator::Power, base, exponent);
            bases.into_iter().rev().fold(last, power)
        });
        folded.ok_or_else(|| self.unexpected("a value"))
    }

    fn sign(&mut self) -> Result<Expr, Fault> {
        let mut negative = false;
        while self.takes("-")? {
            negative = !negative;
        }
        let inner = self.primary()?;
        Ok(if negative {
            Expr::Negative(Box::new(inner))
        } else {
            inner
        })
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        // What was made by this very text, such as `count(*)` behind `stats count(*)`. In stats itself it is new.
        if self.aggregates.is_none() {
            let here = self.here();
            if let Some((made, length)) = self.columns.spelled(&self.lexer.text[here..]) {
                self.ahead = None;
                self.lexer.at = here + length;
                return Ok(Expr::Field(Field::plain(&made)));
            }
        }
        match self.next()? {
            (Token::Text(text), _) => Ok(Expr::Literal(Value::Text(text))),
            (Token::Number(number), _) => Ok(Expr::Literal(Value::Number(number))),
            (Token::Period(period), _) => Ok(Expr::Literal(Value::Period(period))),
            (Token::Mark("("), _) => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            (Token::Name { parts, quoted }, place) => {
                if !quoted && parts.len() == 1 {
                    if *self.peek()? == Token::Mark("(") {
                        return self.call(&parts[0], place);
                    }
                    match parts[0].to_ascii_lowercase().as_str() {
                        "true" => return Ok(Expr::Literal(Value::Bool(true))),
                        "false" => return Ok(Expr::Literal(Value::Bool(false))),
                        _ => {}
                    }
                }
                let field = Field {
                    name: parts.join("."),
                    segments: parts,
                };
                self.known(field, place)
            }
            (token, place) => Err(self.surprised(&token, place, "a field, a value or a function")),
        }
    }

    /// A field, if it can be there.
    pub(super) fn known(&self, field: Field, place: Place) -> Result<Expr, Fault> {
        if self.columns.knows(&field) {
            return Ok(Expr::Field(field));
        }
        let message = format!(
            "there is no field {} behind stats, which did not make it",
            field.name
        );
        Err(self.fault(place, message))
    }

    fn call(&mut self, name: &str, place: Place) -> Result<Expr, Fault> {
        let lower = name.to_ascii_lowercase();
        self.expect("(")?;
        // `count(*)` is the one function that takes a star.
        let star = lower == "count" && self.takes("*")?;
        let outer = self.aggregates.is_some();
        let kind = functions::aggregate(&lower);
        let suspended = match kind {
            // Aggregates hold none themselves.
            Some(_) => self.aggregates.take(),
            None => None,
        };
        let mut arguments = Vec::new();
        if !star {
            while *self.peek()? != Token::Mark(")") {
                if !arguments.is_empty() {
                    self.expect(",")?;
                }
                arguments.push(self.expression()?);
            }
        }
        self.expect(")")?;
        let whole = (place.0, self.behind());
        if kind.is_some() && outer {
            self.aggregates = suspended;
        }
        match kind {
            Some(kind) => self.aggregate(kind, name, arguments, whole),
            None => self.function(&lower, name, arguments, whole),
        }
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        name: &str,
        mut arguments: Vec<Expr>,
        place: Place,
    ) -> Result<Expr, Fault> {
        let mut kind = kind;
        let wanted = if matches!(kind, AggregateKind::Pct(_)) {
            2
        } else {
            1
        };
        let median = name.eq_ignore_ascii_case("median");
        let wanted = if median { 1 } else { wanted };
        let none_needed = kind == AggregateKind::Count && arguments.is_empty();
        if arguments.len() != wanted && !none_needed {
            let message = format!("{name} takes {wanted} arguments, not {}", arguments.len());
            return Err(self.fault(place, message));
        }
        if let (AggregateKind::Pct(_), false) = (kind, median) {
            match arguments.pop() {
                Some(Expr::Literal(Value::Number(percent))) if (0.0..=100.0).contains(&percent) => {
                    kind = AggregateKind::Pct(percent);
                }
                _ => return Err(self.fault(place, "the percentile of pct is a number from 0 to 100")),
            }
        }
        let Some(aggregates) = &mut self.aggregates else {
            return Err(self.fault(place, format!("{name} is an aggregate, which only stats has")));
        };
        aggregates.push(Aggregate {
            kind,
            of: arguments.pop(),
        });
        Ok(Expr::Aggregate(aggregates.len() - 1))
    }

    fn function(
        &mut self,
        lower: &str,
        name: &str,
        mut arguments: Vec<Expr>,
        place: Place,
    ) -> Result<Expr, Fault> {
        match (lower, arguments.as_slice()) {
            ("bin", [Expr::Literal(Value::Period(period))]) => {
                if !self.columns.knows(&Field::plain("@timestamp")) {
                    let message =
                        "bin goes by @timestamp, which stats did not keep; use datefloor on what it made";
                    return Err(self.fault(place, message));
                }
                return Ok(Expr::Bin(*period));
            }
            ("bin", _) => return Err(self.fault(place, "bin takes a period, such as bin(5m)")),
            ("regexreplace", [_, Expr::Literal(Value::Text(pattern)), _]) => {
                let pattern = self.compile(pattern, place)?;
                let (by, text) = (arguments.pop(), arguments.drain(..).next());
                if let (Some(text), Some(by)) = (text, by) {
                    return Ok(Expr::RegexReplace(Box::new(text), pattern, Box::new(by)));
                }
            }
            ("regexreplace", _) => {
                let message = "regexReplace takes a field, a regular expression in quotes and a replacement";
                return Err(self.fault(place, message));
            }
            _ => {}
        }
        match functions::find(lower) {
            Known::Here(function) => {
                let count = arguments.len();
                if count < function.least || count > function.most {
                    return Err(self.fault(place, function.takes(name, count)));
                }
                Ok(Expr::Call(function, arguments))
            }
            Known::Absent => Err(self.fault(
                place,
                format!("the function {name} is not supported by Roadstead yet"),
            )),
            Known::Not => Err(self.fault(place, format!("there is no function {name}"))),
        }
    }
}

fn binary(operator: Operator, a: Expr, b: Expr) -> Expr {
    Expr::Binary(operator, Box::new(a), Box::new(b))
}
