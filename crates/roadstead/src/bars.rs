//! A pull for people who watch it: a few lines that are drawn over, on a terminal and nowhere else. What a script
//! reads is the result alone.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use roadstead_image::{LayerProgress, Phase, Progress};

/// Layers shown at the same time, so that the lines fit on any terminal.
const SHOWN: usize = 6;
const BAR: u64 = 24;
const TICK: Duration = Duration::from_millis(100);

/// Waits for `pull`, drawing meanwhile what `progress` says.
pub(crate) async fn watch<T>(progress: Arc<Progress>, pull: impl Future<Output = T>) -> T {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        return pull.await;
    }
    let mut pull = std::pin::pin!(pull);
    let mut ticks = tokio::time::interval(TICK);
    let mut drawn = 0;
    loop {
        tokio::select! {
            outcome = &mut pull => {
                // A terminal that went away is no reason to lose the outcome.
                let _ = write!(out, "{}", over(drawn)).and_then(|()| out.flush());
                return outcome;
            }
            _ = ticks.tick() => {
                let lines = lines(&progress.layers());
                let _ = write!(out, "{}{}", over(drawn), lines.concat()).and_then(|()| out.flush());
                drawn = lines.len();
            }
        }
    }
}

/// Back to where the last drawing began, and nothing of it left.
fn over(drawn: usize) -> String {
    match drawn {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\x1b[J"),
    }
}

/// The layers on their way, and the sum.
fn lines(layers: &[LayerProgress]) -> Vec<String> {
    let mut lines: Vec<String> = layers
        .iter()
        .filter(|layer| layer.phase == Phase::Fetching)
        .take(SHOWN)
        .map(line)
        .collect();
    if !layers.is_empty() {
        let here = |layer: &&LayerProgress| matches!(layer.phase, Phase::Present | Phase::Stored);
        let count = layers.iter().filter(here).count();
        let sum = |of: fn(&LayerProgress) -> u64| size(layers.iter().map(of).sum());
        lines.push(format!(
            "{count} of {} layers here, {} of {}\n",
            layers.len(),
            sum(|layer| layer.done),
            sum(|layer| layer.size)
        ));
    }
    lines
}

fn line(layer: &LayerProgress) -> String {
    let full = layer.done * BAR / layer.size.max(1);
    let bar: String = (0..BAR).map(|at| if at < full { '=' } else { ' ' }).collect();
    // All arrived, and still being written.
    let state = if layer.done == layer.size { "unpacking" } else { "" };
    let line = format!(
        "{} [{bar}] {:>9} of {:<9} {state}",
        &layer.digest.hex()[..12],
        size(layer.done),
        size(layer.size)
    );
    format!("{}\n", line.trim_end())
}

/// Bytes for people: `67.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use roadstead_image::Digest;

    use super::*;

    #[test]
    fn lines_show_what_is_under_way_and_the_sum() {
        let layer = |phase, done, size| LayerProgress {
            digest: Digest::of(&[1]),
            size,
            done,
            phase,
        };
        assert!(lines(&[]).is_empty());
        let hex = &Digest::of(&[1]).hex()[..12].to_owned();
        let layers = [
            layer(Phase::Present, 10, 10),
            layer(Phase::Fetching, 500_000, 1_000_000),
            layer(Phase::Fetching, 2000, 2000),
            layer(Phase::Waiting, 0, 0),
        ];
        let expected = [
            format!("{hex} [============            ]  500.0 kB of 1.0 MB\n"),
            format!("{hex} [========================]    2.0 kB of 2.0 kB    unpacking\n"),
            "1 of 4 layers here, 502.0 kB of 1.0 MB\n".to_owned(),
        ];
        assert_eq!(lines(&layers), expected);
        let many = vec![layer(Phase::Fetching, 0, 1); 100];
        let shown = lines(&many);
        assert_eq!(shown.len(), SHOWN + 1);
        assert!(shown.iter().all(|line| line.len() < 80), "{shown:?}");
    }
}
