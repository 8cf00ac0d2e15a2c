//! Queries and what they answer, over a few lines of a web server.

use roadstead_log_insights::{Bounds, Event, Query, Results, Run, TooLarge, Window};

const MINUTE: i64 = 60_000;
/// 2024-02-29T13:45:00Z
const START: i64 = 1_709_214_300_000;

fn events() -> Vec<Event> {
    let lines = [
        (
            0,
            "a",
            r#"{"level":"INFO","status":200,"ms":10,"user":{"id":"u1","ip":"10.0.0.1"},"tags":["x","y"]}"#,
        ),
        (
            1,
            "a",
            r#"{"level":"ERROR","status":500,"ms":250.5,"user":{"id":"u2","ip":"192.0.2.7"},"tags":[]}"#,
        ),
        (2, "b", "[GET] /index.html user=u3 took 31 ms"),
        (
            6,
            "b",
            r#"{"level":"INFO","status":200,"ms":30,"user":{"id":"u1","ip":"10.0.0.1"},"odd name":"o","@own":1,"ok":true}"#,
        ),
        (
            7,
            "b",
            r#"{"level":"WARN","status":404,"ms":"20","user":{"id":"u3","ip":"2001:db8::1"}}"#,
        ),
    ];
    let event = |(index, (minute, stream, message)): (usize, &(i64, &str, &str))| Event {
        timestamp: START + minute * MINUTE,
        ingestion_time: START + 100 * MINUTE,
        message: (*message).to_owned(),
        stream: (*stream).into(),
        log: "000000000000:/app".into(),
        pointer: format!("p{index}"),
    };
    let mut events: Vec<Event> = lines.iter().enumerate().map(event).collect();
    events.reverse();
    events
}

fn window() -> Window {
    Window {
        start: START,
        end: START + 60 * MINUTE,
        now: START + 100 * MINUTE,
    }
}

fn run_bounded(text: &str, bounds: Bounds) -> Result<Results, TooLarge> {
    let query = Query::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    let mut run = Run::new(&query, window(), bounds);
    for event in events() {
        run.push(event)?;
    }
    run.finish()
}

/// Rows as `name=value` without `@ptr`.
fn run(text: &str) -> Vec<String> {
    let rows = run_bounded(text, Bounds::default()).expect("fits");
    let shown = rows.into_iter().map(|row| {
        let fields = row.into_iter().filter(|(name, _)| name != "@ptr");
        fields
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    });
    shown.collect()
}

#[test]
fn commands_do_what_the_reference_says() {
    for (query, wanted) in [
        // Newest first where nothing sorts; only what is there is shown.
        (
            "fields level, status | limit 3",
            vec!["level=WARN status=404", "level=INFO status=200", ""],
        ),
        (
            "fields @logStream, @log | filter level = 'ERROR'",
            vec!["@logStream=a @log=000000000000:/app"],
        ),
        (
            "filter status = 404 | fields @timestamp",
            vec!["@timestamp=2024-02-29 13:52:00.000"],
        ),
        (
            "filter status >= 400 and status < 500 or level='ERROR' | fields status",
            vec!["status=404", "status=500"],
        ),
        (
            "filter not (status = 200) and ispresent(status) | fields status",
            vec!["status=404", "status=500"],
        ),
        (
            "filter status in [404, 500] | fields user.id",
            vec!["user.id=u3", "user.id=u2"],
        ),
        (
            "filter ispresent(level) and level not in ['INFO'] | fields level",
            vec!["level=WARN", "level=ERROR"],
        ),
        (
            "filter @message like 'took' | fields @logStream",
            vec!["@logStream=b"],
        ),
        (
            "filter @message like /(?i)WARN|took/ | fields @logStream",
            vec!["@logStream=b", "@logStream=b"],
        ),
        (
            "filter @message =~ /took \\d+ ms$/ | fields @logStream",
            vec!["@logStream=b"],
        ),
        (
            "filter @message not like /level/ | fields @logStream",
            vec!["@logStream=b"],
        ),
        ("filter ok = true | fields ok", vec!["ok=true"]),
        (
            "filter ok = 1 | fields `odd name`, @@own",
            vec!["odd name=o @@own=1"],
        ),
        (
            "fields tags.0 as a, tags[1] as b | filter ispresent(a)",
            vec!["a=x b=y"],
        ),
        (
            "sort ms asc | fields ms | filter ispresent(ms)",
            vec!["ms=10", "ms=20", "ms=30", "ms=250.5"],
        ),
        (
            "filter ms > 0 | sort level, ms desc | fields level, ms",
            vec![
                "level=ERROR ms=250.5",
                "level=INFO ms=30",
                "level=INFO ms=10",
                "level=WARN ms=20",
            ],
        ),
        ("sort @timestamp asc | limit 1 | fields level", vec!["level=INFO"]),
        ("sort by ms desc | limit 1 | fields ms", vec!["ms=250.5"]),
        (
            "fields user.id | filter ispresent(status) | dedup user.id",
            vec!["user.id=u3", "user.id=u1", "user.id=u2"],
        ),
        (
            "fields level | dedup level",
            vec!["level=WARN", "level=INFO", "", "level=ERROR"],
        ),
        (
            "fields level, status | display status | filter level='WARN'",
            vec!["status=404"],
        ),
        (
            "filter level='WARN' | display toupper(user.id) as u, ms * 2",
            vec!["u=U3 ms * 2=40"],
        ),
        (
            "parse @message '[*] * user=* took * ms' as verb, path, who, took | filter ispresent(verb)",
            vec!["verb=GET path=/index.html who=u3 took=31"],
        ),
        (
            "parse @message /user=(?<who>\\w+) took (?<took>\\d+)/ | filter took > 30 | display who, took",
            vec!["who=u3 took=31"],
        ),
        (
            "parse 'took *' as rest | filter ispresent(rest)",
            vec!["rest=31 ms"],
        ),
        (
            "# a comment\nfields level # another\n| filter level = \"WARN\"\n",
            vec!["level=WARN"],
        ),
        ("FIELDS level AS l | FILTER l LIKE 'WAR'", vec!["l=WARN"]),
        (
            "fields level as l, l as m | filter m='WARN'",
            vec!["l=WARN m=WARN"],
        ),
        (
            "fields jsonParse(@message) as j | filter j.user.id = 'u2' | display j.status, j.tags",
            vec!["j.status=500 j.tags=[]"],
        ),
    ] {
        assert_eq!(run(query), wanted, "{query}");
    }
}

#[test]
fn statistics_by_groups() {
    for (query, wanted) in [
        ("stats count(*)", vec!["count(*)=5"]),
        (
            "filter level = 'NONE' | stats count(*) as n, avg(ms)",
            vec!["n=0"],
        ),
        ("filter level = 'NONE' | stats count(*) by level", vec![]),
        (
            "stats count(ms), count_distinct(user.id), sum(ms), avg(ms), min(ms), max(ms)",
            vec![
                "count(ms)=4 count_distinct(user.id)=3 sum(ms)=310.5 avg(ms)=77.625 min(ms)=10 max(ms)=250.5",
            ],
        ),
        (
            "stats pct(ms, 50) as p50, pct(ms, 95) as p95, median(ms) as m, stddev(ms) as s",
            vec!["p50=20 p95=250.5 m=20 s=100.0596"],
        ),
        (
            "stats earliest(level), latest(level), sortsFirst(level), sortsLast(level)",
            vec!["earliest(level)=INFO latest(level)=WARN sortsFirst(level)=ERROR sortsLast(level)=WARN"],
        ),
        (
            "stats count(*) as n by level | sort n desc, level",
            vec!["level=INFO n=2", "n=1", "level=ERROR n=1", "level=WARN n=1"],
        ),
        (
            "stats count(*) by bin(5m)",
            vec![
                "bin(5m)=2024-02-29 13:50:00.000 count(*)=2",
                "bin(5m)=2024-02-29 13:45:00.000 count(*)=3",
            ],
        ),
        (
            "stats count(*) by bin(5m) as t, @logStream | sort t, @logStream | display t, `count(*)`",
            vec![
                "t=2024-02-29 13:45:00.000 count(*)=2",
                "t=2024-02-29 13:45:00.000 count(*)=1",
                "t=2024-02-29 13:50:00.000 count(*)=2",
            ],
        ),
        (
            "stats max(ms) as most, min(ms) as least, most - least as spread",
            vec!["most=250.5 least=10 spread=240.5"],
        ),
        (
            "stats sum(ms) / count(*) by @logStream | sort sum(ms)/count(*)",
            vec![
                "@logStream=b sum(ms) / count(*)=16.6667",
                "@logStream=a sum(ms) / count(*)=130.25",
            ],
        ),
        (
            "stats count(*) as n by user.id, level | filter n >= 1 | stats sum(n) as all, count(*) by level | sort level",
            vec![
                "all=1 count(*)=1",
                "level=ERROR all=1 count(*)=1",
                "level=INFO all=2 count(*)=1",
                "level=WARN all=1 count(*)=1",
            ],
        ),
        (
            "fields strlen(@message) as l | stats sum(l) as s by bin(5m) as @t | stats max(s) > 0 as some by dateceil(@t, 1h)",
            vec!["dateceil(@t, 1h)=2024-02-29 14:00:00.000 some=1"],
        ),
        (
            "stats count(*) by level | filter level = 'INFO' | fields `count(*)` * 10 as ten",
            vec!["level=INFO count(*)=2 ten=20"],
        ),
    ] {
        assert_eq!(run(query), wanted, "{query}");
    }
}

#[test]
fn functions_are_worth_what_they_say() {
    for (expression, wanted) in [
        ("1 + 2 * 3 ^ 2 - 10 % 4 / 2", "18"),
        ("-(2 - 5)", "3"),
        ("2 ^ 3 ^ 2", "512"),
        ("(1 + 2) * 3", "9"),
        ("abs(-1.5)", "1.5"),
        ("ceil(1.2)", "2"),
        ("floor(-1.2)", "-2"),
        ("greatest(1, 3, 2)", "3"),
        ("least(4, 3, '2')", "2"),
        ("log(1)", "0"),
        ("sqrt(16)", "4"),
        ("round(2.345, 2)", "2.35"),
        ("round(2.5)", "3"),
        ("tonumber('12')", "12"),
        ("hexToDec('0xff')", "255"),
        ("decToHex(255)", "0xff"),
        ("decToHex(-255.9)", "-0xff"),
        ("isempty('')", "1"),
        ("isempty(nothing)", "1"),
        ("isblank('  ')", "1"),
        ("isblank('a')", "0"),
        ("concat('a', 'b', 3)", "ab3"),
        ("ltrim('  a ')", "a "),
        ("ltrim('xyZxyfooxyZ','xyZ')", "fooxyZ"),
        ("rtrim('xyZfooxyxyZ','xyZ')", "xyZfoo"),
        ("trim('xyZxyfooxyxyZ', 'xyZ')", "foo"),
        ("strlen('aä')", "2"),
        ("messageSize('aä')", "3"),
        ("toupper('ä')", "Ä"),
        ("tolower('A')", "a"),
        ("substr('xyZfooxyZ', 3)", "fooxyZ"),
        ("substr('xyZfooxyZ', 3, 3)", "foo"),
        ("replace('aXbX', 'X', '-')", "a-b-"),
        ("strcontains('abc', 'b')", "1"),
        ("strcontains('ABC', 'b')", "0"),
        ("strcontains('ABC', 'b', true)", "1"),
        ("startsWith('abc', 'ab')", "1"),
        ("endsWith('abc', 'ab')", "0"),
        ("urlencode('a b/c')", "a%20b%2Fc"),
        ("urldecode('a%20b')", "a b"),
        ("base64encode('hi')", "aGk="),
        ("base64decode('aGk=')", "hi"),
        ("hexToAscii('48656c6c6f')", "Hello"),
        ("split('a,b', ',')", r#"["a","b"]"#),
        ("regexReplace('a1b22', '[0-9]+', '#')", "a#b#"),
        ("ispresent(nothing)", "0"),
        ("coalesce(nothing, '', 'x')", ""),
        ("coalesce(nothing, 'x')", "x"),
        ("if(1 > 2, 'a', 'b')", "b"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("case(false, 'a', 'c')", "c"),
        ("isNumeric('1e3')", "1"),
        ("isNumeric('x')", "0"),
        ("fromMillis(1709214451250)", "2024-02-29 13:47:31.250"),
        ("toMillis('2024-02-29 13:47:31.250')", "1709214451250"),
        (
            "datefloor(fromMillis(1709214451250), 1h)",
            "2024-02-29 13:00:00.000",
        ),
        ("dateceil(1709214451250, 1d)", "2024-03-01 00:00:00.000"),
        ("now()", "1709220300"),
        ("queryStartTime()", "1709214300000"),
        ("queryTimeRange()", "3600000"),
        ("formatDate(1709214451250, '%Y/%m/%d')", "2024/02/29"),
        ("isValidIp('::1')", "1"),
        ("isValidIpV4('::1')", "0"),
        ("isValidIpV6('::1')", "1"),
        ("isValidIp('10.0.0.300')", "0"),
        ("isIpInSubnet('192.0.2.7', '192.0.2.0/24')", "1"),
        ("isIpv4InSubnet('192.0.3.7', '192.0.2.0/24')", "0"),
        ("isIpv6InSubnet('2001:db8::5', '2001:db8::/32')", "1"),
        ("isIpv6InSubnet('192.0.2.7', '192.0.2.0/24')", "0"),
        ("isIpInSubnet('8.8.8.8', '0.0.0.0/0')", "1"),
        ("ipv4ToNumber('0.0.1.0')", "256"),
        ("isPrivateIP('172.16.3.4')", "1"),
        ("isPublicIP('8.8.8.8')", "1"),
        ("isPublicIP('127.0.0.1')", "0"),
        ("isReservedIP('127.0.0.1')", "1"),
        ("jsonArraySize('[1,2]')", "2"),
        ("jsonArrayContains('[\"a\"]', 'a')", "1"),
        ("jsonStringify(jsonParse('{\"a\": 1}'))", r#"{"a":1}"#),
        ("'a' < 'b'", "1"),
        ("10 > '9'", "1"),
        ("nothing = nothing", "0"),
        ("nothing != 1", "1"),
        ("jsonParse('[]') != 1", "0"),
    ] {
        let found = run(&format!("limit 1 | display {expression} as x"));
        assert_eq!(found, [format!("x={wanted}")], "{expression}");
    }
    // Null, so there is no field.
    for expression in [
        "sqrt(-1)",
        "1 / 0",
        "abs('x')",
        "toupper(jsonParse('{}'))",
        "1 + nothing",
        "jsonParse('x')",
        "base64decode('!')",
    ] {
        assert_eq!(
            run(&format!("limit 1 | display {expression} as x")),
            [""],
            "{expression}"
        );
    }
}

#[test]
fn faults_have_a_place_and_say_what_is_wrong() {
    for (query, start, end, words) in [
        ("", 0, 0, "expected a command"),
        ("fields", 6, 6, "expected a field"),
        ("fields a | felds b", 11, 16, "there is no command felds"),
        ("fields ä, | filter", 10, 11, "expected a field"),
        ("pattern @message", 0, 7, "pattern is not supported"),
        ("source logGroups()", 0, 6, "source is not supported"),
        ("filter a = ", 11, 11, "the end of the query"),
        ("filter a ~ 1", 9, 10, "unexpected symbol found ~"),
        ("filter a like /(/", 14, 17, "regular expression"),
        ("filter a like /(?=x)/", 14, 21, "regular expression"),
        ("filter a like /x", 14, 16, "no closing /"),
        ("filter a = 'x", 11, 13, "no closing '"),
        ("filter `a = 1", 7, 13, "no closing `"),
        ("filter frobnicate(a)", 7, 20, "no function frobnicate"),
        ("filter parseDate(a, 'x')", 7, 24, "parseDate is not supported"),
        ("filter strlen()", 7, 15, "strlen takes 1 arguments, not 0"),
        ("fields count(*)", 7, 15, "aggregate, which only stats has"),
        ("stats a by b", 6, 7, "needs aggregates"),
        ("stats count(*) by bin(a)", 18, 24, "bin takes a period"),
        ("stats count(*) by bin(5x)", 22, 24, "no period"),
        ("stats pct(a, 101)", 6, 17, "0 to 100"),
        ("stats sum(count(*))", 10, 18, "aggregate"),
        (
            "stats count(*) | fields @message",
            24,
            32,
            "no field @message behind stats",
        ),
        (
            "stats count(*) as n by @logStream | stats avg(n) by bin(5m)",
            52,
            59,
            "@timestamp",
        ),
        (
            "stats count(*) | stats count(*) | stats count(*)",
            34,
            39,
            "at most two stats",
        ),
        ("sort a | stats count(*)", 9, 14, "after the last stats"),
        ("dedup a | sort b", 10, 14, "only limit"),
        ("limit 0", 6, 7, "1 to 100000"),
        ("limit 1.5", 6, 9, "1 to 100000"),
        ("limit 100001", 6, 12, "1 to 100000"),
        ("parse @message 'abc' as x", 15, 20, "no *"),
        ("parse @message '* *' as x", 15, 20, "2 * and there are 1 names"),
        ("parse @message /(a)/", 15, 20, "needs a name"),
        ("parse @message /a/", 15, 18, "no group"),
        ("fields a b", 9, 10, "expected a |"),
        ("filter (a = 1", 13, 13, "expected a )"),
    ] {
        let fault = Query::parse(query).expect_err(query);
        assert_eq!((fault.start, fault.end), (start, end), "{query}: {fault}");
        assert!(fault.message.contains(words), "{query}: {fault}");
    }
    let deep = format!("filter {}1{}", "(".repeat(100), ")".repeat(100));
    assert!(
        Query::parse(&deep)
            .expect_err("deep")
            .message
            .contains("brackets")
    );
    let long = format!("filter {}1", "1+".repeat(1000));
    assert!(
        Query::parse(&long)
            .expect_err("long")
            .message
            .contains("operators")
    );
    assert!(Query::parse(&"x".repeat(10_001)).is_err());
}

#[test]
fn a_query_keeps_no_more_than_it_may() {
    let bounds = |rows, bytes| Bounds {
        rows: Some(rows),
        bytes,
    };
    assert_eq!(
        run_bounded("fields level", bounds(2, 1 << 20))
            .expect("fits")
            .len(),
        2
    );
    assert_eq!(
        run_bounded("fields level | limit 3", bounds(2, 1 << 20))
            .expect("fits")
            .len(),
        2
    );
    for query in [
        "fields @message",
        "sort ms",
        "stats count(*) by @message",
        "dedup @message",
    ] {
        assert_eq!(run_bounded(query, bounds(10, 100)), Err(TooLarge), "{query}");
    }
    // A sort of many events keeps only as many as are wanted.
    let query = Query::parse("sort @timestamp | limit 2 | fields @timestamp").expect("a query");
    let mut run = Run::new(&query, window(), bounds(10, 3 << 20));
    for index in 0..100_000 {
        let mut event = events().remove(0);
        event.timestamp -= index;
        run.push(event).expect("fits");
    }
    assert_eq!(run.matched(), 100_000);
    assert_eq!(run.finish().expect("fits")[0][0].1, "2024-02-29 13:50:20.001");
}

#[test]
fn matched_counts_what_passes_the_filters() {
    let query = Query::parse("filter level = 'INFO' | stats count(*) as n | filter n > 5").expect("a query");
    let mut run = Run::new(&query, window(), Bounds::default());
    for event in events() {
        run.push(event).expect("fits");
    }
    assert_eq!(run.matched(), 2);
    assert!(run.finish().expect("fits").is_empty());
}
