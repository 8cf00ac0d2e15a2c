//! What Express state machines cannot do: wait for jobs and for task tokens, and have activities.

use roadstead_states_language::{Code, Diagnostic, Flow, Kind, Pattern, Resource};

/// Adds what does not suit an Express state machine.
pub(crate) fn unfit(flow: &Flow, at: &str, diagnostics: &mut Vec<Diagnostic>) {
    for (name, state) in &flow.states {
        let at = format!("{at}/States/{}", name.replace('~', "~0").replace('/', "~1"));
        match &state.kind {
            Kind::Task(task) => {
                if let Some(what) = waits(&task.resource) {
                    diagnostics.push(Diagnostic {
                        code: Code::SchemaValidationFailed,
                        message: format!("Express state machine does not support {what}"),
                        location: Some(format!("{at}/Resource")),
                    });
                }
            }
            Kind::Parallel { branches } => {
                for (index, branch) in branches.iter().enumerate() {
                    unfit(branch, &format!("{at}/Branches/{index}"), diagnostics);
                }
            }
            Kind::Map(map) => unfit(&map.processor, &format!("{at}/ItemProcessor"), diagnostics),
            Kind::Pass { .. } | Kind::Choice { .. } | Kind::Wait(_) | Kind::Succeed | Kind::Fail { .. } => {}
        }
    }
}

fn waits(resource: &Resource) -> Option<&'static str> {
    match resource {
        Resource::Function { .. } => None,
        Resource::Activity { .. } => Some("Activity"),
        Resource::Integration { pattern, .. } => match pattern {
            Pattern::RequestResponse => None,
            Pattern::Sync | Pattern::SyncAsJson => Some("'.sync' service integration"),
            Pattern::WaitForTaskToken => Some("'.waitForTaskToken' service integration"),
        },
    }
}
