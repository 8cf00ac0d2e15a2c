//! The rule of a composite alarm: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`.

use crate::State;

/// Longer rules are refused; the API allows as many.
pub const MAX_RULE: usize = 10_240;
/// Alarms that one rule may name.
const MAX_ALARMS: usize = 100;
const MAX_DEPTH: usize = 64;

/// A rule, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Constant(bool),
    /// The alarm, by name or ARN, is in this state.
    Is(State, String),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

/// The first thing that is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AlarmRule at position {position}: expected {wanted}")]
pub struct RuleError {
    /// Bytes from the start of the rule.
    pub position: usize,
    pub wanted: &'static str,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    alarms: usize,
}

impl Rule {
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > MAX_RULE {
            return Err(RuleError {
                position: MAX_RULE,
                wanted: "at most 10240 characters",
            });
        }
        let mut reader = Reader {
            text,
            at: 0,
            alarms: 0,
        };
        let rule = reader.any(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.error("AND, OR or the end"));
        }
        Ok(rule)
    }

    /// Whether it holds; `state` says what state an alarm is in, none if there is no such alarm.
    pub fn holds(&self, state: &dyn Fn(&str) -> Option<State>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(wanted, alarm) => state(alarm) == Some(*wanted),
            Self::Not(rule) => !rule.holds(state),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(state)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(state)),
        }
    }

    /// The alarms it names, as it names them, each once.
    pub fn alarms(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn collect<'r>(&'r self, found: &mut Vec<&'r str>) {
        match self {
            Self::Constant(_) => {}
            Self::Is(_, alarm) => found.push(alarm),
            Self::Not(rule) => rule.collect(found),
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|rule| rule.collect(found)),
        }
    }
}

impl Reader<'_> {
    fn error(&self, wanted: &'static str) -> RuleError {
        RuleError {
            position: self.at,
            wanted,
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Goes past a word if it is next and ends there.
    fn took(&mut self, word: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(word)
            && !self.rest()[word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn took_sign(&mut self, sign: char) -> bool {
        self.space();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len_utf8() } else { 0 };
        found
    }

    fn any(&mut self, depth: usize) -> Result<Rule, RuleError> {
        if depth > MAX_DEPTH {
            return Err(self.error("fewer parentheses"));
        }
        let first = self.all(depth)?;
        let mut rules = vec![first];
        while self.took("OR") {
            rules.push(self.all(depth)?);
        }
        Ok(one_or(rules, Rule::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Rule, RuleError> {
        let first = self.part(depth)?;
        let mut rules = vec![first];
        while self.took("AND") {
            rules.push(self.part(depth)?);
        }
        Ok(one_or(rules, Rule::All))
    }

    fn part(&mut self, depth: usize) -> Result<Rule, RuleError> {
        if depth > MAX_DEPTH {
            return Err(self.error("fewer NOTs"));
        }
        if self.took("NOT") {
            return Ok(Rule::Not(Box::new(self.part(depth + 1)?)));
        }
        if self.took("TRUE") {
            return Ok(Rule::Constant(true));
        }
        if self.took("FALSE") {
            return Ok(Rule::Constant(false));
        }
        for state in [State::Ok, State::Alarm, State::InsufficientData] {
            if self.took(state.as_str()) {
                return self.alarm().map(|alarm| Rule::Is(state, alarm));
            }
        }
        if self.took_sign('(') {
            let inner = self.any(depth + 1)?;
            if !self.took_sign(')') {
                return Err(self.error("a closing parenthesis"));
            }
            return Ok(inner);
        }
        Err(self.error("ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE or an opening parenthesis"))
    }

    /// `("name")` or `(name)`.
    fn alarm(&mut self) -> Result<String, RuleError> {
        self.alarms += 1;
        if self.alarms > MAX_ALARMS {
            return Err(self.error("at most 100 alarms"));
        }
        if !self.took_sign('(') {
            return Err(self.error("an opening parenthesis"));
        }
        self.space();
        let name = if self.rest().starts_with('"') {
            let body = &self.rest()[1..];
            let end = body.find('"').ok_or_else(|| self.error("a closing quote"))?;
            let name = body[..end].to_owned();
            self.at += end + 2;
            name
        } else {
            let end = self.rest().find(')').unwrap_or(self.rest().len());
            let name = self.rest()[..end].trim_end().to_owned();
            self.at += end;
            name
        };
        if name.is_empty() {
            return Err(self.error("the name of an alarm"));
        }
        if !self.took_sign(')') {
            return Err(self.error("a closing parenthesis"));
        }
        Ok(name)
    }
}

fn one_or(mut rules: Vec<Rule>, many: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.pop() {
        Some(only) if rules.is_empty() => only,
        Some(last) => {
            rules.push(last);
            many(rules)
        }
        None => many(rules),
    }
}
