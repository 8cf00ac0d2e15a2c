//! Tokens of tasks: what somebody answers with who was handed a task, however long ago.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::About;
use crate::dice::Dice;

/// A token names its execution and its task, so that nobody has to keep a list of tokens, and a secret that nobody guesses.
/// As text it has at most 1000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskToken {
    /// The name of the state machine.
    pub machine: String,
    /// The name of the execution.
    pub execution: String,
    /// The task's number.
    pub task: u64,
    secret: String,
}

/// What stands between the parts of a token; no name has it.
const BETWEEN: char = '/';

impl TaskToken {
    /// A new one, with 122 random bits.
    pub(super) fn new(about: &About, task: u64, dice: &Dice) -> TaskToken {
        TaskToken {
            machine: about.state_machine_name.clone(),
            execution: about.execution_name.clone(),
            task,
            secret: dice.uuid().replace('-', ""),
        }
    }
}

impl fmt::Display for TaskToken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TaskToken {
            machine,
            execution,
            task,
            secret,
        } = self;
        let plain = format!("{secret}{BETWEEN}{task}{BETWEEN}{machine}{BETWEEN}{execution}");
        to.write_str(&BASE64.encode(plain))
    }
}

/// The text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a task token")]
pub struct NoToken;

impl FromStr for TaskToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<TaskToken, NoToken> {
        let bytes = BASE64.decode(text).map_err(|_| NoToken)?;
        let plain = String::from_utf8(bytes).map_err(|_| NoToken)?;
        let parts: Vec<&str> = plain.split(BETWEEN).collect();
        let [secret, task, machine, execution] = parts.as_slice() else {
            return Err(NoToken);
        };
        let token = TaskToken {
            machine: (*machine).to_owned(),
            execution: (*execution).to_owned(),
            task: task.parse().map_err(|_| NoToken)?,
            secret: (*secret).to_owned(),
        };
        let named = !token.machine.is_empty() && !token.execution.is_empty();
        // One text for each token: `01` is not the task 1.
        (named && token.to_string() == text)
            .then_some(token)
            .ok_or(NoToken)
    }
}
