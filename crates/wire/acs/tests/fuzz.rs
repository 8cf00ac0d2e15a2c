//! Whatever an agent or a control plane sends over the channel, the other side reads it or says what is wrong; what
//! it read, it can write.

#[path = "../../protocol/tests/support/fuzz.rs"]
mod fuzz;

use std::path::Path;

use fuzz::Corpus;
use roadstead_acs::{FromAgent, ToAgent};

fn corpus(target: &str) -> Corpus {
    Corpus::read(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/corpus")
            .join(target),
    )
    .words(&[
        "{",
        "[",
        "null",
        "\"type\":\"PayloadMessage\"",
        "\"message\":{",
        "\"tasks\":[",
        "1e400",
        "-1",
        "\\u0000",
    ])
}

#[test]
fn what_agents_say() {
    let mut read = 0;
    corpus("from-agent").feed(|input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(message) = FromAgent::from_text(&text) {
            let again = FromAgent::from_text(&message.to_text()).expect("what was written is read");
            assert_eq!(again.kind(), message.kind());
            read += 1;
        }
    });
    assert!(read > 0, "the seeds are good ones");
}

#[test]
fn what_agents_are_told() {
    let mut read = 0;
    corpus("to-agent").feed(|input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(message) = ToAgent::from_text(&text) {
            let again = ToAgent::from_text(&message.to_text()).expect("what was written is read");
            assert_eq!(again.kind(), message.kind());
            read += 1;
        }
    });
    assert!(read > 0, "the seeds are good ones");
}
