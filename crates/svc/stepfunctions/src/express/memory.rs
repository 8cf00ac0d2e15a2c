//! What memory an Express execution is billed for. Source: the pricing page of Step Functions, by which it is 50 MB, the
//! definition, and the data times the steps of Parallel and Map states, in chunks of 64 MB.

use roadstead_states_language::{History, HistoryEvent, Machine, size};

const MEGABYTE: usize = 1024 * 1024;
const BASE: usize = 50 * MEGABYTE;
const CHUNK: usize = 64;

/// Measured as bytes of JSON text: the largest input of a state, or what the states within Parallel and Map states were given
/// together, if that is more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    largest: usize,
    within: usize,
}

impl Memory {
    pub(super) fn follow(&mut self, machine: &Machine, events: &[HistoryEvent]) {
        for event in events {
            if let History::StateEntered { name, input, .. } = &event.what {
                let size = size(input);
                self.largest = self.largest.max(size);
                // The names of a machine's states are unique.
                if !machine.flow.states.contains_key(name) {
                    self.within = self.within.saturating_add(size);
                }
            }
        }
    }

    /// Bytes.
    pub(crate) fn used(self, machine: &Machine) -> usize {
        BASE + machine.size + self.largest.max(self.within)
    }

    pub(crate) fn billed_megabytes(used: usize) -> usize {
        used.div_ceil(CHUNK * MEGABYTE) * CHUNK
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entered(name: &str, bytes: usize) -> HistoryEvent {
        HistoryEvent {
            id: 1,
            previous: 0,
            at: 0,
            what: History::StateEntered {
                kind: "Pass".to_owned(),
                name: name.to_owned(),
                input: json!("x".repeat(bytes - 2)),
            },
        }
    }

    #[test]
    fn memory_is_billed_in_chunks_of_the_definition_and_the_data() {
        let inner = json!({"StartAt": "In", "States": {"In": {"Type": "Pass", "End": true}}});
        let text =
            json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": inner, "End": true}}})
                .to_string();
        let machine = Machine::parse(&text).0.expect("a machine");
        let check = |events: &[HistoryEvent], data: usize, billed: usize| {
            let mut memory = Memory::default();
            memory.follow(&machine, events);
            let used = memory.used(&machine);
            assert_eq!(
                (used, Memory::billed_megabytes(used)),
                (BASE + text.len() + data, billed)
            );
        };
        check(&[], 0, 64);
        check(&[entered("M", 100), entered("M", 70)], 100, 64);
        let items = vec![entered("In", 100); 3];
        check(&[vec![entered("M", 200)], items].concat(), 300, 64);
        // The example of the pricing page, and one more than fits into a chunk.
        check(&vec![entered("In", 32 * 1024); 400], 400 * 32 * 1024, 64);
        check(&vec![entered("In", 32 * 1024); 450], 450 * 32 * 1024, 128);
        assert_eq!(Memory::billed_megabytes(64 * MEGABYTE), 64);
        assert_eq!(Memory::billed_megabytes(64 * MEGABYTE + 1), 128);
    }
}
