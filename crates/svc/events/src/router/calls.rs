//! Which rules could want events of API calls, by what a pattern says of an event's head. A first look, before the call:
//! it may say yes to a call whose event then matches nothing, and never no to one that would match.

use roadstead_patterns::Pattern;
use serde_json::{Map, Value as Json, json};

use crate::trail::API_CALL;

/// What a rule asks of the source of such events.
pub(super) struct Head {
    /// None: any.
    source: Option<Pattern>,
    /// Whether calls that change nothing are wanted too.
    reads: bool,
}

impl Head {
    /// None if no event of a call could match.
    pub(super) fn of(pattern: &str, reads: bool) -> Option<Self> {
        let Ok(Json::Object(fields)) = serde_json::from_str::<Json>(pattern) else {
            return None;
        };
        let only = |name: &str| fields.get(name).map(|asked| part(name, asked));
        let kind = only("detail-type").flatten();
        if kind.is_some_and(|kind| !kind.matches(&json!({"detail-type": API_CALL}))) {
            return None;
        }
        Some(Self {
            source: only("source").flatten(),
            reads,
        })
    }

    pub(super) fn wants(&self, source: &str, reads: bool) -> bool {
        (self.reads || !reads)
            && self
                .source
                .as_ref()
                .is_none_or(|asked| asked.matches(&json!({"source": source})))
    }
}

fn part(name: &str, asked: &Json) -> Option<Pattern> {
    let mut fields = Map::new();
    fields.insert(name.to_owned(), asked.clone());
    Json::Object(fields).to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_rules_out_only_what_cannot_match() {
        for (pattern, wants) in [
            (r#"{"source": ["aws.ecs"]}"#, true),
            (r#"{"source": ["aws.ec2"]}"#, false),
            (
                r#"{"source": [{"prefix": "aws."}], "detail-type": ["AWS API Call via CloudTrail"]}"#,
                true,
            ),
            (
                r#"{"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}"#,
                false,
            ),
            (r#"{"detail": {"eventName": ["RunTask"]}}"#, true),
            (r#"{"$or": [{"source": ["shop"]}, {"account": ["0"]}]}"#, true),
            (r#"{"source": [{"anything-but": ["aws.ecs"]}]}"#, false),
        ] {
            let head = Head::of(pattern, false);
            assert_eq!(
                head.is_some_and(|head| head.wants("aws.ecs", false)),
                wants,
                "{pattern}"
            );
        }
    }

    #[test]
    fn calls_that_change_nothing_are_for_those_who_ask_for_all() {
        let pattern = r#"{"source": ["aws.ecs"]}"#;
        for (all, wants) in [(false, false), (true, true)] {
            let head = Head::of(pattern, all).expect("a head");
            assert_eq!(head.wants("aws.ecs", true), wants);
        }
    }
}
