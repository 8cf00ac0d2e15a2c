//! Metrics for people who look: listed, and drawn in the terminal. A client as any other, over HTTP and signed, pointed
//! at a Roadstead by the variables that `roadstead env` prints.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use roadstead_agent::api::Client;
use roadstead_api_cloudwatch::{
    Dimension, GetMetricDataInput, GetMetricDataOutput, GetMetricStatisticsInput, GetMetricStatisticsOutput,
    ListMetricsInput, ListMetricsOutput, MODEL, Metric, MetricDataQuery, MetricStat, ScanBy, Statistic,
};
use roadstead_base::{SharedClock, SystemClock, Timestamp};

use crate::client::Place;
use crate::plot::{Frame, Series, is_utf8};

const WIDTH: u16 = 80;
const HEIGHT: u16 = 16;
/// Lines of a terminal that are not the field: axes, the legend, the prompt.
const AROUND: u16 = 8;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Draw a metric, or an expression over metrics
    Plot(Plot),
    /// List which metrics there are
    List(List),
}

#[derive(clap::Args)]
struct Plot {
    #[command(flatten)]
    place: Place,
    /// The metric's namespace
    #[arg(requires = "name", required_unless_present = "expression")]
    namespace: Option<String>,
    /// The metric's name
    name: Option<String>,
    /// A dimension of the metric; once for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    dimension: Vec<(String, String)>,
    /// A statistic, as `Sum`, `p99` or `TM(10%:90%)`; more than once for several at a time
    #[arg(long, default_value = "Average", value_name = "STATISTIC")]
    stat: Vec<String>,
    /// Draw an expression, such as `SEARCH('{App,Host} Errors', 'Sum')`, in which m1, m2, … are the metric's statistics
    #[arg(long, value_name = "EXPRESSION")]
    expression: Option<String>,
    /// Seconds that become one point
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    period: i32,
    /// How far to look back, as 90s, 10m, 2h or 3d
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = span)]
    since: i64,
    /// Draw again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Columns [default: the terminal's, or 80]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<u16>,
    /// Lines of the field [default: what the terminal has room for, or 16]
    #[arg(long, value_name = "LINES")]
    height: Option<u16>,
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// Only of this namespace
    namespace: Option<String>,
    /// Only of this name
    name: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Seconds.
pub(super) fn span(text: &str) -> Result<i64, String> {
    let wrong = || "it is not a number with s, m, h or d behind it".to_owned();
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match i64::from(number) * unit {
        0 => Err("it must be above 0".to_owned()),
        // As long as anything is kept.
        seconds if seconds > 455 * 86_400 => Err("nothing is kept longer than 455d".to_owned()),
        seconds => Ok(seconds),
    }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let clock: SharedClock = Arc::new(SystemClock);
    match args.what {
        What::Plot(plot) => {
            let client = plot.place.client(clock.clone())?;
            plot.run(&client, &clock).await
        }
        What::List(list) => list.run(&list.place.client(clock)?).await,
    }
}

impl List {
    async fn run(&self, client: &Client) -> Result<()> {
        let mut next_token = None;
        loop {
            let input = ListMetricsInput {
                namespace: self.namespace.clone(),
                metric_name: self.name.clone(),
                next_token,
                ..Default::default()
            };
            let page: ListMetricsOutput = client.call_of(&MODEL, "ListMetrics", input).await?;
            let lines: String = page.metrics.unwrap_or_default().into_iter().map(line).collect();
            if !say(&lines)? {
                return Ok(());
            }
            next_token = page.next_token;
            if next_token.is_none() {
                return Ok(());
            }
        }
    }
}

/// A metric as `plot` takes it.
fn line(metric: Metric) -> String {
    let mut words = vec![
        metric.namespace.unwrap_or_default(),
        metric.metric_name.unwrap_or_default(),
    ];
    words.extend(
        metric
            .dimensions
            .unwrap_or_default()
            .into_iter()
            .map(|Dimension { name, value }| format!("--dimension {name}={value}")),
    );
    words.join(" ") + "\n"
}

/// Whether anybody still reads.
fn say(text: &str) -> Result<bool> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        said => Ok(said.map(|()| true)?),
    }
}

impl Plot {
    async fn run(&self, client: &Client, clock: &SharedClock) -> Result<()> {
        let variables = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).ok());
        let utf8 = is_utf8(variables);
        let terminal = std::io::stdout().is_terminal();
        loop {
            let lines = self.draw(client, clock.now(), utf8).await?;
            // Over what was drawn before.
            let clear = if self.watch && terminal {
                "\x1b[H\x1b[J"
            } else {
                ""
            };
            if !say(&format!("{clear}{}\n", lines.join("\n")))? || !self.watch {
                return Ok(());
            }
            let pause = Duration::from_secs(u64::try_from(self.period).unwrap_or(1).clamp(1, 60));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                stop = tokio::signal::ctrl_c() => return Ok(stop?),
            }
        }
    }

    async fn draw(&self, client: &Client, now: Timestamp, utf8: bool) -> Result<Vec<String>> {
        let period = i64::from(self.period).max(1);
        // Whole periods, the present one among them.
        let to = (now.0.div_euclid(1000)).div_euclid(period) * period + period;
        let from = (to - self.since).div_euclid(period) * period;
        let series = self.series(client, (from, to)).await?;
        let unit = match &self.expression {
            Some(_) => None,
            None => self.unit(client, (from, to)).await?,
        };
        let size = rustix::termios::tcgetwinsize(std::io::stdout())
            .ok()
            .filter(|size| size.ws_col > 0);
        let lines = size.map(|size| size.ws_row.saturating_sub(AROUND).clamp(4, HEIGHT));
        let frame = Frame {
            width: self
                .width
                .or(size.map(|size| size.ws_col))
                .unwrap_or(WIDTH)
                .into(),
            height: self.height.or(lines).unwrap_or(HEIGHT).into(),
            utf8,
            span: (from, to),
            unit,
        };
        Ok(frame.draw(&series))
    }

    fn dimensions(&self) -> Vec<Dimension> {
        let dimension = |(name, value): &(String, String)| Dimension {
            name: name.clone(),
            value: value.clone(),
        };
        self.dimension.iter().map(dimension).collect()
    }

    fn queries(&self) -> Vec<MetricDataQuery> {
        let several = self.stat.len() > 1;
        let mut queries = Vec::new();
        if let (Some(namespace), Some(name)) = (&self.namespace, &self.name) {
            queries.extend((1..).zip(&self.stat).map(|(number, stat)| MetricDataQuery {
                id: format!("m{number}"),
                label: Some(if several {
                    format!("{stat} of {name}")
                } else {
                    format!("{name} ({stat})")
                }),
                metric_stat: Some(MetricStat {
                    metric: Metric {
                        namespace: Some(namespace.clone()),
                        metric_name: Some(name.clone()),
                        dimensions: Some(self.dimensions()),
                    },
                    period: self.period,
                    stat: stat.clone(),
                    unit: None,
                }),
                return_data: Some(self.expression.is_none()),
                ..Default::default()
            }));
        }
        queries.extend(self.expression.iter().map(|expression| MetricDataQuery {
            id: "expression".to_owned(),
            expression: Some(expression.clone()),
            period: Some(self.period),
            ..Default::default()
        }));
        queries
    }

    async fn series(&self, client: &Client, (from, to): (i64, i64)) -> Result<Vec<Series>> {
        let mut all: Vec<Series> = Vec::new();
        let mut next_token = None;
        loop {
            let first = next_token.is_none();
            let input = GetMetricDataInput {
                start_time: Timestamp(from * 1000),
                end_time: Timestamp(to * 1000),
                metric_data_queries: self.queries(),
                scan_by: Some(ScanBy::TimestampAscending),
                next_token,
                ..Default::default()
            };
            let page: GetMetricDataOutput = client.call_of(&MODEL, "GetMetricData", input).await?;
            for (index, result) in page
                .metric_data_results
                .unwrap_or_default()
                .into_iter()
                .enumerate()
            {
                let times = result.timestamps.unwrap_or_default();
                let points = times
                    .iter()
                    .map(|time| time.0.div_euclid(1000))
                    .zip(result.values.unwrap_or_default());
                if first {
                    all.push(Series {
                        label: result.label.unwrap_or_default(),
                        points: points.collect(),
                    });
                } else {
                    // Every page has all series, in the same order.
                    all.get_mut(index)
                        .context("a later page has another series")?
                        .points
                        .extend(points);
                }
            }
            next_token = page.next_token;
            if next_token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The unit that the metric's samples came in, if it is one.
    async fn unit(&self, client: &Client, (from, to): (i64, i64)) -> Result<Option<String>> {
        let (Some(namespace), Some(name)) = (&self.namespace, &self.name) else {
            bail!("there is no metric to ask for its unit");
        };
        // One point of whole hours, which any age of data can be asked for.
        let hours = (to - from).div_euclid(3600) + 1;
        let input = GetMetricStatisticsInput {
            namespace: namespace.clone(),
            metric_name: name.clone(),
            dimensions: Some(self.dimensions()),
            start_time: Timestamp(from * 1000),
            end_time: Timestamp(to * 1000),
            period: i32::try_from(hours * 3600)?,
            statistics: Some(vec![Statistic::SampleCount]),
            ..Default::default()
        };
        let answer: GetMetricStatisticsOutput = client.call_of(&MODEL, "GetMetricStatistics", input).await?;
        let points = answer.datapoints.unwrap_or_default();
        let mut units: Vec<_> = points.into_iter().filter_map(|point| point.unit).collect();
        units.dedup();
        Ok(match units.as_slice() {
            [unit] if unit.as_str() != "None" => Some(unit.as_str().to_owned()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units() {
        for (text, wanted) in [
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("3d", Some(259_200)),
            ("455d", Some(39_312_000)),
            ("456d", None),
            ("0m", None),
            ("m", None),
            ("", None),
            ("10", None),
            ("-1h", None),
            ("1ü", None),
        ] {
            assert_eq!(span(text).ok(), wanted, "{text}");
        }
    }
}
