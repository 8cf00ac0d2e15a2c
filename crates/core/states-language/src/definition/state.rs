//! One state.

use serde_json::Value;

use super::fields::{Has, io};
use super::flow::Nesting;
use super::handlers::{catch, retry};
use super::reader::Reader;
use super::templates::Reading;
use super::{Kind, Next, QueryLanguage, State, kinds};

/// Reads the state at `at`. Faults are reported; with any there may be no state.
pub(super) fn read(value: &Value, at: &str, nesting: &Nesting<'_>) -> Option<State> {
    let reader = Reader::of(value, at, nesting.report)?;
    reader.string("Comment");
    let language = language(&reader, nesting.language);
    reader.require(&["Type"]);
    let kind = reader.string("Type")?;
    let reading = Reading {
        report: nesting.report,
        language,
        caught: false,
        working: matches!(kind, "Task" | "Parallel" | "Map"),
    };
    let edges = Has {
        edges: true,
        ..Has::default()
    };
    let flowing = Has {
        assign: true,
        ..edges
    };
    let working = Has {
        selector: true,
        arguments: true,
        shapes: true,
        ..flowing
    };
    let (read, has) = match kind {
        "Task" => (kinds::task(&reader, reading), working),
        "Pass" => (
            kinds::pass(&reader, reading),
            Has {
                shapes: true,
                ..flowing
            },
        ),
        "Choice" => (kinds::choice(&reader, reading), flowing),
        "Wait" => (kinds::wait(&reader, reading), flowing),
        "Succeed" => (Some(Kind::Succeed), edges),
        "Fail" => (kinds::fail(&reader, reading), Has::default()),
        "Parallel" => (kinds::parallel(&reader, nesting), working),
        "Map" => {
            return map(
                reader,
                reading,
                nesting,
                Has {
                    selector: true,
                    ..flowing
                },
            );
        }
        other => {
            let types = "[Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map]";
            reader.schema(
                "Type",
                format!("Value '{other}' is not one of the supported values: {types}"),
            );
            return None;
        }
    };
    let io = io(&reader, reading, has);
    finish(reader, reading, read, io)
}

fn map(reader: Reader<'_>, reading: Reading<'_>, nesting: &Nesting<'_>, has: Has) -> Option<State> {
    let read = kinds::map(&reader, reading, nesting);
    let mut io = io(&reader, reading, has);
    if reading.language == QueryLanguage::JsonPath {
        io.result_path = super::fields::place(&reader);
    }
    let (kind, selector) = read.unzip();
    io.parameters = selector.flatten();
    finish(reader, reading, kind, io)
}

fn finish(reader: Reader<'_>, reading: Reading<'_>, kind: Option<Kind>, io: super::Io) -> Option<State> {
    let (mut again, mut caught) = (Vec::new(), Vec::new());
    let name = reader.string("Type").unwrap_or_default();
    if matches!(name, "Task" | "Parallel" | "Map") {
        again = retry(&reader, reading);
        caught = catch(&reader, reading);
    }
    let next = next(&reader, name);
    reader.finish(reading.language);
    Some(State {
        language: reading.language,
        kind: kind?,
        io,
        next,
        retry: again,
        catch: caught,
    })
}

/// The state's language: its own, or that of the machine. In a machine of JSONata every state is.
fn language(reader: &Reader<'_>, machine: QueryLanguage) -> QueryLanguage {
    match reader.string("QueryLanguage") {
        None => machine,
        Some("JSONata") => QueryLanguage::Jsonata,
        Some("JSONPath") if machine == QueryLanguage::Jsonata => {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            reader.report.schema(message, &reader.at);
            machine
        }
        Some("JSONPath") => QueryLanguage::JsonPath,
        Some(_) => {
            reader.schema(
                "QueryLanguage",
                "Value is not one of the supported values: [JSONPath, JSONata]",
            );
            machine
        }
    }
}

/// `Next` or `"End": true`, one of them and not both. A Choice goes where its rules say; Succeed and Fail are ends.
fn next(reader: &Reader<'_>, name: &str) -> Next {
    if matches!(name, "Choice" | "Succeed" | "Fail") {
        return Next::End;
    }
    let ends = reader.boolean("End");
    let next = reader.string("Next");
    match (next, ends) {
        (Some(_), Some(true)) => reader.report.schema(
            "You cannot set more than one of the fields [Next, End]",
            &reader.at,
        ),
        (None, None | Some(false)) if !reader.has("Next") => {
            reader
                .report
                .schema("These fields are required: [Next] or [End]", &reader.at);
        }
        _ => {}
    }
    next.map_or(Next::End, |name| Next::State(name.to_owned()))
}
