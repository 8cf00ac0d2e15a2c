//! From text to expression. Scannerless, since what a word is depends on the operator before it: a pattern may
//! hold brackets and parentheses that elsewhere are punctuation.

use regex::RegexBuilder;

use crate::query::eval::version_of;
use crate::query::{Argument, Comparison, MAX_EXPRESSION, Node, Relation, Subject, SyntaxError, Test, time};

/// Parentheses and negations within one another.
const MAX_DEPTH: usize = 64;
/// Bytes that a compiled pattern may take.
const MAX_PATTERN: usize = 1 << 18;

type Result<T> = std::result::Result<T, SyntaxError>;

pub(super) fn parse(text: &str) -> Result<Node> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser {
        chars,
        at: 0,
        depth: 0,
    };
    if parser.chars.len() > MAX_EXPRESSION {
        let problem = format!("an expression can have at most {MAX_EXPRESSION} characters");
        return Err(SyntaxError {
            column: MAX_EXPRESSION + 1,
            problem,
        });
    }
    let node = parser.or()?;
    parser.space();
    match parser.peek() {
        None => Ok(node),
        Some(')') => Err(parser.wrong("there is no parenthesis that this one closes")),
        Some(_) => Err(parser.wrong("expected and, or, or the end of the expression")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

/// Characters of names and words: what attribute names and unquoted values may consist of.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || "._-/\\:@*+$#%".contains(c)
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn wrong(&self, problem: impl Into<String>) -> SyntaxError {
        Self::wrong_at(self.at, problem)
    }

    fn wrong_at(at: usize, problem: impl Into<String>) -> SyntaxError {
        SyntaxError {
            column: at + 1,
            problem: problem.into(),
        }
    }

    /// Takes this punctuation if it is next.
    fn take(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let next = self.chars.iter().skip(self.at).take(length);
        if next.copied().eq(text.chars()) {
            self.at += length;
            return true;
        }
        false
    }

    /// Takes this word if it is next, and a whole one.
    fn take_word(&mut self, word: &str) -> bool {
        let start = self.at;
        if self.take(word) && !self.peek().is_some_and(in_word) {
            return true;
        }
        self.at = start;
        false
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(in_word) {
            self.at += 1;
        }
        self.chars.iter().skip(start).take(self.at - start).collect()
    }

    fn or(&mut self) -> Result<Node> {
        let mut parts = vec![self.and()?];
        loop {
            self.space();
            if !(self.take("||") || self.take_word("or")) {
                break;
            }
            parts.push(self.and()?);
        }
        Ok(one(parts, Node::Or))
    }

    fn and(&mut self) -> Result<Node> {
        let mut parts = vec![self.not()?];
        loop {
            self.space();
            if !(self.take("&&") || self.take_word("and")) {
                break;
            }
            parts.push(self.not()?);
        }
        Ok(one(parts, Node::And))
    }

    fn not(&mut self) -> Result<Node> {
        self.space();
        if !(self.take("!") || self.take_word("not")) {
            return self.primary();
        }
        self.deeper()?;
        let inner = self.not()?;
        self.depth -= 1;
        Ok(Node::Not(Box::new(inner)))
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(format!("more than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<Node> {
        self.space();
        if !self.take("(") {
            return self.test().map(Node::Test);
        }
        let open = self.at;
        self.deeper()?;
        let inner = self.or()?;
        self.depth -= 1;
        self.space();
        if self.take(")") {
            return Ok(inner);
        }
        Err(self.wrong(format!(
            "expected ) for the parenthesis that opens at column {open}"
        )))
    }

    fn test(&mut self) -> Result<Test> {
        let subject = self.subject()?;
        self.space();
        let at = self.at;
        let (negated, operator) = self.operator()?;
        if !takes(&subject, operator) {
            return Err(Self::wrong_at(at, "this subject does not take this operator"));
        }
        let relation = match operator {
            Operator::Exists => Relation::Exists,
            Operator::Compare(comparison) => Relation::Compare(comparison, self.argument(&subject)?),
            Operator::In => Relation::In(self.list(&subject)?),
            Operator::Matches => Relation::Matches(self.pattern()?),
        };
        Ok(Test {
            subject,
            negated,
            relation,
        })
    }

    fn subject(&mut self) -> Result<Subject> {
        let start = self.at;
        let word = self.word();
        match word.as_str() {
            "agentConnected" => Ok(Subject::AgentConnected),
            "agentVersion" => Ok(Subject::AgentVersion),
            "ec2InstanceId" => Ok(Subject::Ec2InstanceId),
            "registeredAt" => Ok(Subject::RegisteredAt),
            "runningTasksCount" => Ok(Subject::RunningTasksCount),
            "task:group" => Ok(Subject::TaskGroup),
            "" => Err(self.wrong(
                "expected a subject: attribute:NAME, task:group, agentConnected, \
                 agentVersion, ec2InstanceId, registeredAt or runningTasksCount",
            )),
            other => match other.strip_prefix("attribute:") {
                Some("") => Err(self.wrong("expected the name of an attribute")),
                Some(name) => Ok(Subject::Attribute(name.to_owned())),
                None => Err(Self::wrong_at(start, format!("there is no subject {other}"))),
            },
        }
    }

    fn operator(&mut self) -> Result<(bool, Operator)> {
        use Comparison as C;
        use Operator::{Compare, Exists, In, Matches};
        // Longer ones before those they begin with.
        let signs = [
            ("==", false, Compare(C::Equal)),
            ("!=", true, Compare(C::Equal)),
            (">=", false, Compare(C::GreaterEqual)),
            (">", false, Compare(C::Greater)),
            ("<=", false, Compare(C::LessEqual)),
            ("<", false, Compare(C::Less)),
            ("=~", false, Matches),
            ("!~", true, Matches),
        ];
        for (sign, negated, operator) in signs {
            if self.take(sign) {
                return Ok((negated, operator));
            }
        }
        let start = self.at;
        let bang = self.take("!");
        let word = self.word();
        match (bang, word.as_str()) {
            (false, "equals") => Ok((false, Compare(C::Equal))),
            (false, "not_equals") => Ok((true, Compare(C::Equal))),
            (false, "greater_than") => Ok((false, Compare(C::Greater))),
            (false, "greater_than_equal") => Ok((false, Compare(C::GreaterEqual))),
            (false, "less_than") => Ok((false, Compare(C::Less))),
            (false, "less_than_equal") => Ok((false, Compare(C::LessEqual))),
            (negated, "exists") => Ok((negated, Exists)),
            (false, "not_exists") => Ok((true, Exists)),
            (negated, "in") => Ok((negated, In)),
            (false, "not_in") => Ok((true, In)),
            (false, "matches") => Ok((false, Matches)),
            (false, "not_matches") => Ok((true, Matches)),
            _ => Err(Self::wrong_at(
                start,
                "expected an operator: ==, !=, >, >=, <, <=, exists, !exists, in, !in, =~ or !~",
            )),
        }
    }

    /// A word, or anything between quotes.
    fn literal(&mut self) -> Result<String> {
        self.space();
        let start = self.at;
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => {
                let word = self.word();
                if word.is_empty() {
                    return Err(Self::wrong_at(start, "expected a value"));
                }
                Ok(word)
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == quote {
                return Ok(text);
            }
            text.push(c);
        }
        Err(Self::wrong_at(start, "this quote is never closed"))
    }

    fn argument(&mut self, subject: &Subject) -> Result<Argument> {
        self.space();
        let start = self.at;
        let text = self.literal()?;
        let wrong = |problem: String| Self::wrong_at(start, problem);
        match subject {
            Subject::AgentVersion => match version_of(&text) {
                Some(version) => Ok(Argument::Version(version)),
                None => Err(wrong(format!("{text:?} is no version"))),
            },
            Subject::RegisteredAt => match time::read(&text) {
                Some((start, length)) => Ok(Argument::Time(start, length)),
                None => Err(wrong(format!(
                    "{text:?} is no date; write 2018-06-18 or 2018-06-18T22:28:28+00:00"
                ))),
            },
            Subject::RunningTasksCount => match text.parse::<u32>() {
                Ok(count) => Ok(Argument::Number(f64::from(count), text)),
                Err(_) => Err(wrong(format!("{text:?} is no count"))),
            },
            Subject::AgentConnected if text != "true" && text != "false" => {
                Err(wrong(format!("{text:?} is neither true nor false")))
            }
            _ => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Argument::Number(number, text)),
                _ => Ok(Argument::Text(text)),
            },
        }
    }

    fn list(&mut self, subject: &Subject) -> Result<Vec<Argument>> {
        self.space();
        if !self.take("[") {
            return Err(self.wrong("expected a list: [a, b]"));
        }
        let mut list = Vec::new();
        loop {
            list.push(self.argument(subject)?);
            self.space();
            if self.take("]") {
                return Ok(list);
            }
            if !self.take(",") {
                return Err(self.wrong("expected , or ]"));
            }
        }
    }

    /// Up to a space, the connective, or the parenthesis that closes what stands around it.
    fn pattern(&mut self) -> Result<regex::Regex> {
        self.space();
        let start = self.at;
        let text = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.bare_pattern(),
        };
        if text.is_empty() {
            return Err(Self::wrong_at(start, "expected a pattern"));
        }
        RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(MAX_PATTERN)
            .build()
            .map_err(|_| Self::wrong_at(start, format!("{text:?} is no pattern, or too large a one")))
    }

    fn bare_pattern(&mut self) -> String {
        let mut text = String::new();
        let (mut open, mut class) = (0_usize, false);
        while let Some(c) = self.peek() {
            let connective = |sign: char| c == sign && self.chars.get(self.at + 1) == Some(&sign);
            let ends = c.is_whitespace()
                || (!class && (connective('&') || connective('|') || (c == ')' && open == 0)));
            if ends {
                break;
            }
            match c {
                '\\' => {
                    text.push(c);
                    self.at += 1;
                    if let Some(escaped) = self.peek().filter(|c| !c.is_whitespace()) {
                        text.push(escaped);
                        self.at += 1;
                    }
                    continue;
                }
                '[' => class = true,
                ']' => class = false,
                '(' if !class => open += 1,
                ')' if !class => open -= 1,
                _ => {}
            }
            text.push(c);
            self.at += 1;
        }
        text
    }
}

fn one(mut parts: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    Compare(Comparison),
    In,
    Matches,
}

/// What the guide lists for each subject.
fn takes(subject: &Subject, operator: Operator) -> bool {
    match subject {
        Subject::AgentConnected | Subject::Ec2InstanceId => matches!(
            operator,
            Operator::Compare(Comparison::Equal) | Operator::In | Operator::Matches
        ),
        Subject::AgentVersion | Subject::RegisteredAt | Subject::RunningTasksCount => {
            matches!(operator, Operator::Compare(_))
        }
        Subject::Attribute(_) => true,
        Subject::TaskGroup => operator != Operator::Exists,
    }
}
