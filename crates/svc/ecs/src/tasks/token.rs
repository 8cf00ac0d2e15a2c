//! `clientToken` of RunTask: the same token again is the same call, and answers with the same tasks; the same
//! token with another request is a conflict. Source: the API reference, RunTask, and "Ensuring idempotency".

use roadstead_api_ecs::{RunTaskRequest, errors};
use roadstead_base::{Ctx, Timestamp, derived_hex};
use roadstead_protocol::{Value, Wire};
use roadstead_store::{Entry, Key, Table};
use serde::{Deserialize, Serialize};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::names::{ClusterName, TaskId};

pub(crate) const TOKENS: &str = "ecs-client-token";
/// Milliseconds for which a token is remembered.
const KEEP: i64 = 24 * 3_600_000;

/// What became of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    /// Of the request without the token.
    pub request: String,
    pub cluster: ClusterName,
    pub tasks: Vec<TaskId>,
    pub created_at: Timestamp,
}

impl TokenRecord {
    /// Milliseconds until it is forgotten; zero or less: it is.
    pub(crate) fn remaining(&self, now: Timestamp) -> i64 {
        self.created_at.0 + KEEP - now.0
    }
}

/// A call with a token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(super) key: Key,
    pub(super) request: String,
}

impl Ecs {
    /// `ecs-client-token/<token>`
    pub(crate) fn tokens(&self) -> Table<TokenRecord> {
        Table::new(self.store.clone(), TOKENS)
    }
}

/// Of everything in the request but its token.
pub(super) fn fingerprint(request: &RunTaskRequest) -> String {
    let rest = RunTaskRequest {
        client_token: None,
        ..request.clone()
    };
    // The text names every member and its value; it need only be the same for the same request.
    derived_hex(&format!("{:?}", rest.into_value()), "run-task", 64)
}

impl Token {
    pub(super) fn of(ctx: &Ctx, token: Option<String>, request: String) -> Result<Option<Self>> {
        let Some(token) = token else { return Ok(None) };
        if !(1..=64).contains(&token.len()) || !token.bytes().all(|byte| (33..=126).contains(&byte)) {
            return Err(Error::invalid(
                "clientToken can have up to 64 characters, from code 33 to 126.",
            ));
        }
        Ok(Some(Self {
            key: Key::of(&ctx.partition()).child(TOKENS).child(token),
            request,
        }))
    }

    /// The earlier call with this token.
    ///
    /// # Errors
    /// It was another request: `ConflictException` with the tasks of that one.
    pub(super) async fn earlier(&self, ecs: &Ecs, ctx: &Ctx) -> Result<Option<Entry<TokenRecord>>> {
        let Some(entry) = ecs.tokens().get(&self.key).await? else {
            return Ok(None);
        };
        let record = &entry.value;
        if record.remaining(ecs.clock.now()) <= 0 || record.request == self.request {
            return Ok(Some(entry));
        }
        let partition = ctx.partition();
        let arns = record
            .tasks
            .iter()
            .map(|id| Value::Str(id.arn(&partition, &record.cluster)))
            .collect();
        let error = errors::conflict_exception(
            "The RunTask request could not be processed due to conflicts. The provided clientToken is already in \
             use with a different RunTask request.",
        );
        Err(Error::Other(error.with_member("resourceIds", Value::List(arns))))
    }
}
