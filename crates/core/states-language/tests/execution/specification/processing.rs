//! "Input and Output Processing with JSONPath" and the examples of the Map State.

use roadstead_states_language::{Failure, names};
use serde_json::{Value, json};

use super::{around, faults};
use crate::{FUNCTION, Run, output, result, run, single};

/// A task that gives `gives`, with more fields.
fn task(fields: &Value, input: &Value, gives: &Value) -> Run {
    let mut state = json!({"Type": "Task", "Resource": FUNCTION, "End": true});
    state
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    run(&around("X", &state), input.clone(), &mut |_, _| {
        Some(Ok(gives.clone()))
    })
}

#[test]
fn paths_and_templates_shape_what_goes_in_and_out() {
    let master = json!({"master": {"detail": [1, 2, 3]}});
    let numbers = json!({"title": "Numbers to add", "numbers": {"val1": 3, "val2": 4}});
    let several = json!({"a": [1, 2, 3, 4]});
    // Fields, input, result; what the task was given, and the output.
    let cases = [
        (json!({}), several.clone(), json!(9), several.clone(), json!(9)),
        (
            json!({"InputPath": "$.a[0,1]"}),
            several.clone(),
            json!(9),
            json!([1, 2]),
            json!(9),
        ),
        (
            json!({"OutputPath": "$.a[0,1]", "ResultPath": null}),
            several.clone(),
            json!(9),
            several.clone(),
            json!([1, 2]),
        ),
        (
            json!({"ResultPath": "$.master.detail"}),
            master.clone(),
            json!(6),
            master.clone(),
            json!({"master": {"detail": 6}}),
        ),
        (
            json!({"ResultPath": "$.master.result.sum"}),
            master.clone(),
            json!(6),
            master.clone(),
            json!({"master": {"detail": [1, 2, 3], "result": {"sum": 6}}}),
        ),
        (
            json!({"InputPath": "$.numbers", "ResultPath": "$.sum"}),
            numbers.clone(),
            json!(7),
            json!({"val1": 3, "val2": 4}),
            json!({"title": "Numbers to add", "numbers": {"val1": 3, "val2": 4}, "sum": 7}),
        ),
        (
            json!({"ResultPath": "$.b.greeting"}),
            json!({"a": 1}),
            json!("Hi!"),
            json!({"a": 1}),
            json!({"a": 1, "b": {"greeting": "Hi!"}}),
        ),
        (
            json!({"InputPath": null}),
            several.clone(),
            json!(9),
            json!({}),
            json!(9),
        ),
        (
            json!({"ResultPath": null}),
            several.clone(),
            json!(9),
            several.clone(),
            several.clone(),
        ),
        (
            json!({"OutputPath": null}),
            several.clone(),
            json!(9),
            several.clone(),
            json!({}),
        ),
        (
            json!({"Parameters": {"flagged": true, "parts": {"first.$": "$.vals[0]", "last3.$": "$.vals[-3:]"}, "name.$": "$$.Execution.Name",
                "formatted.$": "States.Format('Today is {}', $$.State.Name)"}}),
            json!({"flagged": 7, "vals": [0, 10, 20, 30, 40, 50]}),
            json!(9),
            json!({"flagged": true, "parts": {"first": 0, "last3": [30, 40, 50]}, "name": "x", "formatted": "Today is X"}),
            json!(9),
        ),
        // In the order of the text: InputPath, Parameters, ResultSelector, ResultPath, OutputPath.
        (
            json!({"InputPath": "$.in", "Parameters": {"p.$": "$.v"}, "ResultSelector": {"s.$": "$.r"}, "ResultPath": "$.out.placed", "OutputPath": "$.out"}),
            json!({"in": {"v": 1}, "out": {"kept": 2}}),
            json!({"r": 3, "dropped": 4}),
            json!({"p": 1}),
            json!({"kept": 2, "placed": {"s": 3}}),
        ),
    ];
    for (fields, input, gives, given, expected) in cases {
        let ran = task(&fields, &input, &gives);
        assert_eq!(ran.orders[0].parameters, given, "{fields}");
        assert_eq!(result(ran), Ok(expected), "{fields}");
    }
}

#[test]
fn a_pass_places_its_result() {
    let state = json!({"Type": "Pass", "Result": {"x-datum": 0.381018, "y-datum": 622.2269926397355}, "ResultPath": "$.coords", "Next": "End"});
    assert_eq!(
        output(&around("ProvideTestData", &state), json!({"georefOf": "Home"})),
        Ok(json!({"georefOf": "Home", "coords": {"x-datum": 0.381018, "y-datum": 622.2269926397355}}))
    );
}

#[test]
fn what_a_path_does_not_apply_to_fails_the_state() {
    let failed = |fields: Value, input: Value| result(task(&fields, &input, &json!(1))).unwrap_err().error;
    assert_eq!(
        failed(json!({"ResultPath": "$.x"}), json!("foo")),
        names::RESULT_PATH
    );
    assert_eq!(
        failed(
            json!({"Parameters": {"a.$": "States.MathAdd($.a, 'x')"}}),
            json!({"a": 1})
        ),
        names::INTRINSIC
    );
    // The specification has States.ParameterPathFailure; the service fails with States.Runtime.
    for fields in [
        json!({"Parameters": {"a.$": "$.none"}}),
        json!({"InputPath": "$.none"}),
        json!({"OutputPath": "$.none"}),
        json!({"ResultSelector": {"a.$": "$.none"}}),
    ] {
        assert_eq!(failed(fields.clone(), json!({})), names::RUNTIME, "{fields}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_blamed_in_the_services_words() {
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass"});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        single(state)
    };
    let input = json!({"a": {"b": 1}, "list": 7});
    let wait = |fields: Value| {
        let mut state = json!({"Type": "Wait"});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        single(state)
    };
    let cases = [
        (
            pass(json!({"InputPath": "$.none"})),
            names::RUNTIME,
            "Invalid path '$.none' : No results for path: $['none']",
        ),
        (
            pass(json!({"OutputPath": "$.a.none"})),
            names::RUNTIME,
            "Invalid path '$.a.none' : No results for path: $['a']['none']",
        ),
        (
            pass(json!({"InputPath": "$.none[0].x"})),
            names::RUNTIME,
            "Invalid path '$.none[0].x' : Missing property in path $['none']",
        ),
        (
            pass(json!({"Parameters": {"x.$": "$.none"}})),
            names::RUNTIME,
            "The JSONPath '$.none' specified for the field 'x.$' could not be found in the input '{",
        ),
        (
            validate_all(json!({"ItemsPath": "$.a.none"})),
            names::REFERENCE_PATH,
            "Unable to apply step \"none\" to input {\"a\":{\"b\":1},\"list\":7}",
        ),
        (
            validate_all(json!({"ItemsPath": "$.list"})),
            names::RUNTIME,
            "Reference path \"$.list\" must point to array.",
        ),
        (
            wait(json!({"SecondsPath": "$.none"})),
            names::RUNTIME,
            "The SecondsPath parameter does not reference an input value: $.none",
        ),
        (
            wait(json!({"TimestampPath": "$.none"})),
            names::RUNTIME,
            "The TimestampPath parameter does not reference an input value: $.none",
        ),
    ];
    for (definition, error, words) in cases {
        let failure = output(&definition, input.clone()).unwrap_err();
        assert_eq!(failure.error, error, "{definition}");
        let (_, cause) = failure.cause.split_once("). ").expect("where it happened");
        assert!(cause.starts_with(words), "{cause}");
    }
}

fn shipment() -> Value {
    json!({"ship-date": "2016-03-14T01:59:00Z", "detail": {"delivery-partner": "UQS", "shipped": [
        {"prod": "R31", "dest-code": 9511, "quantity": 1344}, {"prod": "S39", "dest-code": 9511, "quantity": 40},
        {"prod": "R31", "dest-code": 9833, "quantity": 12}, {"prod": "R40", "dest-code": 9860, "quantity": 887},
        {"prod": "R40", "dest-code": 9511, "quantity": 1220}]}})
}

fn validate_all(fields: Value) -> Value {
    let mut state = json!({"Type": "Map", "MaxConcurrency": 0, "End": true, "ItemProcessor": {"StartAt": "Validate", "States": {
        "Validate": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:ship-val", "End": true}}}});
    state
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    around("Validate-All", &state)
}

#[test]
fn a_map_hands_each_item_to_its_processor() {
    let item = shipment()["detail"]["shipped"][0].clone();
    let parcel = json!({"parcel": item, "courier": "UQS"});
    let paths = json!({"InputPath": "$.detail", "ItemsPath": "$.shipped", "ResultPath": "$.detail.shipped"});
    let mut selecting = paths.clone();
    selecting["ItemSelector"] = json!({"parcel.$": "$$.Map.Item.Value", "courier.$": "$.delivery-partner"});
    let queries = json!({"QueryLanguage": "JSONata", "Items": "{% $states.input.detail.shipped %}", "Assign": {"shipped": "{% $states.result %}"},
        "Output": {"numItemsProcessed": "{% $count($states.input.detail.shipped) %}"}});
    let mut selected = queries.clone();
    // The specification writes $states.input.delivery-partner, which subtracts `partner`; and it forgets `detail`.
    selected["ItemSelector"] = json!({"parcel": "{% $states.context.Map.Item.Value %}", "courier": "{% $states.input.detail.`delivery-partner` %}"});
    let mut placed = shipment();
    placed["detail"]["shipped"] = json!(["ok", "ok", "ok", "ok", "ok"]);
    for (fields, given, expected) in [
        (paths, item.clone(), placed.clone()),
        (selecting, parcel.clone(), placed),
        (queries, item, json!({"numItemsProcessed": 5})),
        (selected, parcel, json!({"numItemsProcessed": 5})),
    ] {
        let ran = run(&validate_all(fields.clone()), shipment(), &mut |_, _| {
            Some(Ok(json!("ok")))
        });
        assert_eq!(ran.orders.len(), 5);
        assert_eq!(ran.orders[0].parameters, given, "{fields}");
        assert_eq!(result(ran), Ok(expected), "{fields}");
    }
    let written = json!({"QueryLanguage": "JSONata", "Items": "{% $states.input.detail.shipped %}",
        "ItemSelector": {"courier": "{% $states.input.delivery-partner %}"}});
    assert_eq!(
        faults(&validate_all(written)),
        [
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'partner' at the top level is not supported. at /States/Validate-All/ItemSelector/courier"
        ]
    );
}

#[test]
fn an_iteration_at_a_time_keeps_the_order() {
    let fields = json!({"InputPath": "$.detail", "ItemsPath": "$.shipped", "MaxConcurrency": 1});
    let mut at_once = Vec::new();
    let ran = run(&validate_all(fields), shipment(), &mut |order, _| {
        at_once.push(order.parameters["quantity"].clone());
        Some(Ok(json!(null)))
    });
    assert_eq!(at_once, [1344, 40, 12, 887, 1220]);
    assert!(result(ran).is_ok());
    for (items, expected) in [(json!([]), Ok(json!([]))), (json!("text"), Err(names::RUNTIME))] {
        let state = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}});
        let given = output(&around("X", &state), items);
        assert_eq!(
            given.map_err(|failure: Failure| failure.error),
            expected.map_err(str::to_owned)
        );
    }
}
