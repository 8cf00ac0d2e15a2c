//! Dashboards: kept as given, checked with the place of each fault.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, ctx};

const BODY: &str = r#"{"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6,
    "properties": {"metrics": [["App", "m", "k", "v", {"stat": "Sum"}], [{"expression": "m1 * 2"}]], "region": "us-east-1", "period": 60}},
    {"type": "text", "properties": {"markdown": "hello"}}]}"#;

#[tokio::test]
async fn dashboards_are_kept_as_given_in_all_regions_of_an_account() {
    let bench = Bench::new().await;
    let put = |name: &str| json!({"DashboardName": name, "DashboardBody": BODY});
    let answer = bench.call("PutDashboard", put("d")).await.expect("put");
    assert_eq!(answer["DashboardValidationMessages"], json!([]));
    bench
        .call("PutDashboard", put("d"))
        .await
        .expect("the same again");
    bench.call("PutDashboard", put("other")).await.expect("put");
    let bench = bench.restarted().await;
    let mut elsewhere = ctx();
    elsewhere.region = "eu-west-1".parse().expect("a region");
    let found = bench
        .call_as(&elsewhere, "GetDashboard", json!({"DashboardName": "d"}))
        .await
        .expect("the dashboard");
    assert_eq!(found["DashboardBody"], BODY);
    assert_eq!(
        found["DashboardArn"],
        "arn:aws:cloudwatch::000000000000:dashboard/d"
    );
    let listed = bench
        .call("ListDashboards", json!({"DashboardNamePrefix": "d"}))
        .await
        .expect("a list");
    assert_eq!(listed["DashboardEntries"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["DashboardEntries"][0]["Size"], BODY.len());
    let gone = bench
        .call("DeleteDashboards", json!({"DashboardNames": ["d", "none"]}))
        .await;
    Bench::refused(gone, "ResourceNotFound", "none");
    let get = bench.call("GetDashboard", json!({"DashboardName": "d"})).await;
    Bench::refused(get, "ResourceNotFound", "Dashboard d does not exist");
    bench
        .call("DeleteDashboards", json!({"DashboardNames": ["other"]}))
        .await
        .expect("gone");
    let listed = bench.call("ListDashboards", json!({})).await.expect("a list");
    assert_eq!(listed["DashboardEntries"], json!([]));
    for count in [0, 101] {
        let names: Vec<String> = (0..count).map(|index| format!("d{index}")).collect();
        let refused = bench
            .call("DeleteDashboards", json!({"DashboardNames": names}))
            .await;
        Bench::refused(refused, "InvalidParameterValue", "from 1 to 100");
    }
}

#[tokio::test]
async fn a_list_of_dashboards_has_pages() {
    let bench = Bench::new().await;
    for index in 0..1001 {
        let put = json!({"DashboardName": format!("d{index:04}"), "DashboardBody": "{\"widgets\": []}"});
        bench.call("PutDashboard", put).await.expect("put");
    }
    let first = bench.call("ListDashboards", json!({})).await.expect("a page");
    assert_eq!(first["DashboardEntries"].as_array().map(Vec::len), Some(1000));
    let rest = bench
        .call("ListDashboards", json!({"NextToken": first["NextToken"]}))
        .await
        .expect("the rest");
    assert_eq!(rest["DashboardEntries"][0]["DashboardName"], "d1000");
    assert!(rest.get("NextToken").is_none());
    let forged = json!({"NextToken": first["NextToken"], "DashboardNamePrefix": "d"});
    Bench::refused(
        bench.call("ListDashboards", forged).await,
        "InvalidNextToken",
        "invalid",
    );
}

#[tokio::test]
async fn faults_of_a_body_are_told_with_their_place() {
    let bench = Bench::new().await;
    let widget = |widget: Json| json!({"widgets": [widget]}).to_string();
    for (body, path, words) in [
        ("{".to_owned(), "/", "line 1, column 1"),
        ("[]".to_owned(), "/", "valid JSON object"),
        ("{}".to_owned(), "/", "required property 'widgets'"),
        ("{\"widgets\": 1}".to_owned(), "/widgets", "Should be array"),
        (widget(json!(1)), "/widgets/0", "Should be object"),
        (widget(json!({"properties": {}})), "/widgets/0", "'type'"),
        (widget(json!({"type": "text"})), "/widgets/0", "'properties'"),
        (
            widget(json!({"type": "x", "properties": {}})),
            "/widgets/0/type",
            "one of",
        ),
        (
            widget(json!({"type": "text", "properties": {}})),
            "/widgets/0/properties",
            "'markdown'",
        ),
        (
            widget(json!({"type": "text", "width": 25, "properties": {"markdown": ""}})),
            "/widgets/0/width",
            "Should be <= 24",
        ),
        (
            widget(json!({"type": "text", "x": 1, "properties": {"markdown": ""}})),
            "/widgets/0",
            "both of x and y",
        ),
        (
            widget(json!({"type": "metric", "properties": {"metrics": [["App"]]}})),
            "/widgets/0/properties/metrics/0",
            "a value for each dimension",
        ),
        (
            widget(json!({"type": "metric", "properties": {"metrics": [["App", "m"], ["App", 1]]}})),
            "/widgets/0/properties/metrics/1/1",
            "Should be string",
        ),
        (
            widget(json!({"type": "alarm", "properties": {"alarms": "a"}})),
            "/widgets/0/properties/alarms",
            "Should be array",
        ),
    ] {
        let request = json!({"DashboardName": "d", "DashboardBody": body});
        let error = bench.call("PutDashboard", request).await.expect_err(words);
        assert_eq!(
            (error.code.as_ref(), error.status),
            ("InvalidParameterInput", 400),
            "{error}"
        );
        assert!(
            error.message.contains(words) && error.message.ends_with(&format!(" at {path}")),
            "{error}"
        );
        assert!(
            error
                .members
                .iter()
                .any(|(name, _)| name == "dashboardValidationMessages")
        );
    }
    let odd = json!({"widgets": [{"type": "text", "colour": 1, "properties": {"markdown": ""}}]});
    let answer = bench
        .call(
            "PutDashboard",
            json!({"DashboardName": "d", "DashboardBody": odd.to_string()}),
        )
        .await
        .expect("only a warning");
    assert_eq!(
        answer["DashboardValidationMessages"][0]["DataPath"],
        "/widgets/0/colour"
    );
    let named = json!({"DashboardName": "a b", "DashboardBody": BODY});
    Bench::refused(
        bench.call("PutDashboard", named).await,
        "InvalidParameterValue",
        "position 1",
    );
}
