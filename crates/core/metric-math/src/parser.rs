//! Tokens to an expression, by precedence climbing.

use std::str::FromStr;

use crate::fault::Fault;
use crate::lexer::{Token, tokens};
use crate::syntax::{Expression, Function, Kind, Node, Operator, SIGN_BINDS};

/// Longer texts are refused, as the service does.
const MAX_LENGTH: usize = 2048;
/// Deeper ones as well: a reader has only so much room.
const MAX_DEPTH: usize = 64;

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl FromStr for Expression {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.chars().nth(MAX_LENGTH).is_some() {
            return Err(Fault::syntax(
                MAX_LENGTH + 1,
                format!("An expression has at most {MAX_LENGTH} characters"),
            ));
        }
        let first = text.split_whitespace().next().unwrap_or_default();
        if first.eq_ignore_ascii_case("SELECT") {
            return Err(Fault::unsupported(1, "A Metrics Insights query (SELECT)"));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let root = parser.expression(0)?;
        match parser.next() {
            (_, Token::End) => {
                check_word(&root)?;
                Ok(Self { root })
            }
            (column, token) => Err(unexpected(column, &token, "an operator or the end")),
        }
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(1, |(column, _)| *column)
    }

    fn next(&mut self) -> (usize, Token) {
        let next = (self.column(), self.peek().clone());
        self.at += 1;
        next
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn operator(&self) -> Option<Operator> {
        let text = match self.peek() {
            Token::Sign("&&") => "AND",
            Token::Sign("||") => "OR",
            Token::Sign(sign) => sign,
            Token::Word(word) if word == "AND" || word == "OR" => word,
            _ => return None,
        };
        Operator::ALL
            .iter()
            .copied()
            .find(|operator| operator.text() == text)
    }

    /// An expression of operators that bind at least so much.
    fn expression(&mut self, least: u8) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::syntax(
                self.column(),
                format!("The expression is nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let mut left = self.signed()?;
        while let Some(operator) = self.operator().filter(|operator| operator.binds() >= least) {
            let (column, _) = self.next();
            check_word(&left)?;
            let right = match operator {
                Operator::Power => self.expression(SIGN_BINDS)?,
                other => self.expression(other.binds() + 1)?,
            };
            check_word(&right)?;
            left = Node {
                column,
                kind: Kind::Binary(operator, Box::new(left), Box::new(right)),
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn signed(&mut self) -> Result<Node, Fault> {
        let column = self.column();
        if self.take("-") {
            let inner = self.expression(SIGN_BINDS)?;
            check_word(&inner)?;
            let kind = Kind::Negative(Box::new(inner));
            return Ok(Node { column, kind });
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Node, Fault> {
        let (column, token) = self.next();
        let kind = match token {
            Token::Number(number) => Kind::Number(number),
            Token::Text(text) => Kind::Text(text),
            Token::Name(name) => {
                if matches!(self.peek(), Token::Sign("(")) {
                    let upper = name.to_ascii_uppercase();
                    let hint = match Function::of(&upper) {
                        Some(_) => format!("; functions are in upper case: {upper}"),
                        None => String::new(),
                    };
                    return Err(Fault::syntax(
                        column,
                        format!("There is no function {name}{hint}"),
                    ));
                }
                Kind::Name(name)
            }
            Token::Word(word) if self.take("(") => {
                let arguments = self.list(")")?;
                let function = Function::of(&word)
                    .ok_or_else(|| Fault::syntax(column, format!("There is no function {word}")))?;
                check_call(column, function, &arguments)?;
                Kind::Call(function, arguments)
            }
            Token::Word(word) => Kind::Word(word),
            Token::Sign("(") => {
                let inner = self.expression(0)?;
                check_word(&inner)?;
                let (column, closing) = self.next();
                if closing != Token::Sign(")") {
                    return Err(unexpected(column, &closing, "\")\""));
                }
                return Ok(inner);
            }
            Token::Sign("[") => {
                let nodes = self.list("]")?;
                if nodes.is_empty() {
                    return Err(Fault::syntax(column, "An array has at least one time series"));
                }
                nodes.iter().try_for_each(check_word)?;
                Kind::Array(nodes)
            }
            other => {
                return Err(unexpected(
                    column,
                    &other,
                    "a number, an Id, a function, \"(\" or \"[\"",
                ));
            }
        };
        Ok(Node { column, kind })
    }

    /// Expressions with commas between them, up to a closing bracket.
    fn list(&mut self, closing: &str) -> Result<Vec<Node>, Fault> {
        let mut nodes = Vec::new();
        if self.take(closing) {
            return Ok(nodes);
        }
        loop {
            nodes.push(self.expression(0)?);
            if self.take(closing) {
                return Ok(nodes);
            }
            if !self.take(",") {
                return Err(unexpected(
                    self.column(),
                    self.peek(),
                    &format!("\",\" or \"{closing}\""),
                ));
            }
        }
    }
}

fn unexpected(column: usize, token: &Token, wanted: &str) -> Fault {
    let found = match token {
        Token::Number(number) => number.to_string(),
        Token::Name(text) | Token::Word(text) => text.clone(),
        Token::Text(text) => format!("{text:?}"),
        Token::Sign(sign) => format!("\"{sign}\""),
        Token::End => "the end".to_owned(),
    };
    Fault::syntax(column, format!("Unexpected {found}, expected {wanted}"))
}

/// A word means something only to the function that takes it.
fn check_word(node: &Node) -> Result<(), Fault> {
    match &node.kind {
        Kind::Word(word) if Function::of(word).is_some() => Err(Fault::syntax(
            node.column,
            format!("The function {word} needs arguments in parentheses"),
        )),
        Kind::Word(word) => Err(Fault::syntax(
            node.column,
            format!("Unexpected {word}; Ids begin with a lower-case letter"),
        )),
        _ => Ok(()),
    }
}

/// Which arguments are words or texts, and how many there are.
fn check_call(column: usize, function: Function, arguments: &[Node]) -> Result<(), Fault> {
    let name = function.text();
    if function.is_unsupported() {
        return Err(Fault::unsupported(column, &format!("The function {name}")));
    }
    let (least, most) = function.takes();
    if !(least..=most).contains(&arguments.len()) {
        let takes = match (least, most) {
            (1, 1) => "one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("from {least} to {most} arguments"),
        };
        return Err(Fault::syntax(
            column,
            format!("The function {name} takes {takes} and has {}", arguments.len()),
        ));
    }
    for (index, argument) in arguments.iter().enumerate() {
        let words: &[&str] = match (function, index) {
            (Function::Sort, 1) => &["AVG", "MIN", "MAX", "SUM"],
            (Function::Sort, 2) => &["ASC", "DESC"],
            (Function::Fill, 1) => &["REPEAT", "LINEAR"],
            _ => &[],
        };
        let wants_text = matches!(
            (function, index),
            (Function::Metrics, _) | (Function::Search, 0 | 1)
        );
        match &argument.kind {
            Kind::Word(word) if words.contains(&word.as_str()) => {}
            Kind::Word(word) if !words.is_empty() => {
                return Err(Fault::syntax(
                    argument.column,
                    format!("Unexpected {word}, expected {}", words.join(", ")),
                ));
            }
            Kind::Word(_) => check_word(argument)?,
            Kind::Text(_) if wants_text => {}
            _ if wants_text => {
                return Err(Fault::syntax(
                    argument.column,
                    format!("{name} takes a string here"),
                ));
            }
            Kind::Text(_) => {
                return Err(Fault::syntax(
                    argument.column,
                    format!("{name} takes no string here"),
                ));
            }
            _ if function == Function::Sort && !words.is_empty() => {
                return Err(Fault::syntax(
                    argument.column,
                    format!("Expected {}", words.join(", ")),
                ));
            }
            Kind::Number(_) => {}
            _ if function == Function::Search => {
                return Err(Fault::syntax(
                    argument.column,
                    "The period of a search is a number",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
