//! Time series drawn with letters: axes with labels, a mark for each series, and nothing where there are no points.
//! Only what is given decides what is drawn.

use roadstead_base::Timestamp;

/// A time series by its name.
pub(crate) struct Series {
    pub label: String,
    /// Seconds since 1970 in ascending order.
    pub points: Vec<(i64, f64)>,
}

pub(crate) struct Frame {
    /// Columns of the whole drawing.
    pub width: usize,
    /// Lines of the field between the axes.
    pub height: usize,
    /// Whether marks and lines beyond ASCII are understood.
    pub utf8: bool,
    /// Seconds since 1970, the end left out.
    pub span: (i64, i64),
    pub unit: Option<String>,
}

/// Marks of series, from the first again when there are more series.
const UTF8: [char; 6] = ['•', '×', '○', '+', '◆', '△'];
const ASCII: [char; 6] = ['*', 'x', 'o', '+', '#', '@'];
/// Where two series are at one place.
const SHARED: (char, char) = ('▒', '%');
/// Lines between two labels of the axis of values.
const STEP: usize = 4;
const MIN_FIELD: usize = 10;

impl Frame {
    fn marks(&self) -> &'static [char; 6] {
        if self.utf8 { &UTF8 } else { &ASCII }
    }

    /// The drawing, line by line.
    pub(crate) fn draw(&self, series: &[Series]) -> Vec<String> {
        let values = series
            .iter()
            .flat_map(|series| &series.points)
            .map(|(_, value)| *value);
        let (low, high) = match range(values) {
            Some(range) => range,
            None => return vec![format!("There are no data points {}.", self.when())],
        };
        let height = self.height.max(2);
        let label = |row: usize| {
            let share = (height - 1 - row) as f64 / (height - 1) as f64;
            (row.is_multiple_of(STEP) || row == height - 1).then(|| short(low + (high - low) * share))
        };
        let labels: Vec<Option<String>> = (0..height).map(label).collect();
        let margin = labels
            .iter()
            .flatten()
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0);
        let width = self.width.saturating_sub(margin + 2).max(MIN_FIELD);
        let field = self.field(series, (low, high), width, height);
        let (tick, side) = if self.utf8 { ('┤', '│') } else { ('+', '|') };
        let mut lines = Vec::new();
        lines.extend(self.unit.iter().map(|unit| format!("{:>margin$} {unit}", "")));
        for (row, label) in field.iter().zip(&labels) {
            let edge = if label.is_some() { tick } else { side };
            let line = format!(
                "{:>margin$} {edge}{}",
                label.as_deref().unwrap_or_default(),
                String::from_iter(row)
            );
            lines.push(line.trim_end().to_owned());
        }
        let (corner, floor) = if self.utf8 { ('└', '─') } else { ('+', '-') };
        lines.push(format!(
            "{:>margin$} {corner}{}",
            "",
            String::from_iter(vec![floor; width])
        ));
        lines.push(format!("{:>margin$}  {}", "", self.times(width)));
        lines.extend(
            series
                .iter()
                .zip(self.marks().iter().cycle())
                .map(|(series, mark)| legend(*mark, series)),
        );
        lines
    }

    fn field(
        &self,
        series: &[Series],
        (low, high): (f64, f64),
        width: usize,
        height: usize,
    ) -> Vec<Vec<char>> {
        let mut field = vec![vec![' '; width]; height];
        let (from, to) = self.span;
        let shared = if self.utf8 { SHARED.0 } else { SHARED.1 };
        for (series, mark) in series.iter().zip(self.marks().iter().cycle()) {
            for (time, value) in &series.points {
                if *time < from || *time >= to {
                    continue;
                }
                let column = place((*time - from) as f64 / (to - from) as f64 * width as f64, width);
                let share = (value - low) / (high - low);
                let row = height - 1 - place((share * (height - 1) as f64).round(), height);
                let cell = &mut field[row][column];
                *cell = if *cell == ' ' || *cell == *mark {
                    *mark
                } else {
                    shared
                };
            }
        }
        field
    }

    /// The beginning, the middle and the end below the field, as far as there is room.
    fn times(&self, width: usize) -> String {
        let (from, to) = self.span;
        let days = to - from > 86_400;
        let text = |second: i64| {
            let text = Timestamp(second * 1000).to_rfc3339();
            let (date, time) = (
                text.get(5..10).unwrap_or_default(),
                text.get(11..19).unwrap_or_default(),
            );
            if days {
                format!("{date} {}", time.get(..5).unwrap_or_default())
            } else {
                time.to_owned()
            }
        };
        let (first, middle, last) = (text(from), text(from + (to - from) / 2), text(to));
        let room = width.saturating_sub(first.len() + middle.len() + last.len());
        if room < 4 {
            let gap = width.saturating_sub(first.len() + last.len()).max(1);
            return format!("{first}{}{last}", " ".repeat(gap));
        }
        let before = width / 2 - middle.len() / 2 - first.len();
        let after = width - before - first.len() - middle.len() - last.len();
        format!(
            "{first}{}{middle}{}{last} UTC",
            " ".repeat(before),
            " ".repeat(after)
        )
    }

    fn when(&self) -> String {
        let text = |second: i64| Timestamp(second * 1000).to_rfc3339();
        format!("from {} to {}", text(self.span.0), text(self.span.1))
    }
}

fn place(at: f64, of: usize) -> usize {
    (at.max(0.0) as usize).min(of.saturating_sub(1))
}

/// The lowest and the highest, never the same; none if there is nothing.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        None
    } else if low < high && (high - low).is_finite() {
        Some((low, high))
    } else {
        // A level line lies in the middle.
        let room = (low.abs() / 2.0).max(1.0);
        Some((low - room, low + room))
    }
}

fn legend(mark: char, Series { label, points }: &Series) -> String {
    let values = || points.iter().map(|(_, value)| *value);
    let Some((_, last)) = points.last() else {
        return format!("{mark} {label}: no data points");
    };
    let (low, high) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    format!(
        "{mark} {label}: last {}, lowest {}, highest {}",
        short(*last),
        short(low),
        short(high)
    )
}

/// A number in four digits at most, with k, M, G or T for thousands.
pub(crate) fn short(value: f64) -> String {
    let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (by, unit) = steps
        .into_iter()
        .find(|(by, _)| value.abs() >= *by)
        .unwrap_or((1.0, ""));
    let scaled = value / by;
    if scaled.abs() >= 1e5 || (scaled != 0.0 && scaled.abs() < 1e-3) {
        return format!("{scaled:.2e}{unit}");
    }
    let whole = scaled.abs().log10().max(0.0) as usize;
    let text = format!("{scaled:.*}", 3usize.saturating_sub(whole));
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

/// Whether the terminal's language is written in UTF-8, by the first of the variables that says anything.
pub(crate) fn is_utf8(variables: [Option<String>; 3]) -> bool {
    let said = variables.into_iter().flatten().find(|value| !value.is_empty());
    said.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize, utf8: bool) -> Frame {
        Frame {
            width,
            height,
            utf8,
            // 2023-11-14, 22:14 UTC
            span: (1_700_000_040, 1_700_000_640),
            unit: None,
        }
    }

    fn series(label: &str, values: &[Option<f64>]) -> Series {
        let points = (0..)
            .zip(values)
            .filter_map(|(slot, value)| Some((1_700_000_040 + 60 * slot, (*value)?)));
        Series {
            label: label.to_owned(),
            points: points.collect(),
        }
    }

    #[test]
    fn series_are_drawn_with_gaps_and_marks_of_their_own() {
        let rising: Vec<_> = (0..10)
            .map(|slot| (slot != 4 && slot != 5).then_some(f64::from(slot)))
            .collect();
        let level = vec![Some(9.0); 10];
        let mut frame = frame(34, 4, true);
        frame.unit = Some("Count".to_owned());
        let drawn = frame.draw(&[series("rising", &rising), series("level", &level)]);
        assert_eq!(
            drawn,
            [
                "  Count",
                "9 ┤×  ×  ×  ×  ×  ×  ×  ×  ▒  ▒",
                "  │                  •  •",
                "  │      •  •",
                "0 ┤•  •",
                "  └───────────────────────────────",
                "   22:14:00   22:19:00    22:24:00 UTC",
                "• rising: last 9, lowest 0, highest 9",
                "× level: last 9, lowest 9, highest 9",
            ]
        );
    }

    #[test]
    fn without_utf8_all_is_ascii() {
        let drawn = frame(30, 3, false).draw(&[series("a", &[Some(1.0), None, Some(2.0)])]);
        assert_eq!(
            drawn,
            [
                "2 +     *",
                "  |",
                "1 +*",
                "  +---------------------------",
                "   22:14:00           22:24:00",
                "* a: last 2, lowest 1, highest 2",
            ]
        );
        assert!(drawn.iter().all(|line| line.is_ascii()));
    }

    #[test]
    fn what_is_level_lies_in_the_middle_and_what_is_not_is_said() {
        let drawn = frame(40, 3, false).draw(&[series("a", &[Some(0.0)]), series("b", &[])]);
        assert_eq!(drawn[1], "   |*");
        assert_eq!(drawn.last().map(String::as_str), Some("x b: no data points"));
        let empty = frame(40, 3, false).draw(&[series("b", &[None])]);
        assert_eq!(
            empty,
            ["There are no data points from 2023-11-14T22:14:00.000Z to 2023-11-14T22:24:00.000Z."]
        );
    }

    #[test]
    fn numbers_are_short() {
        for (value, wanted) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.125, "0.125"),
            (0.000_01, "1.00e-5"),
            (12.345, "12.35"),
            (999.96, "1000"),
            (1234.5, "1.234k"),
            (4_000_000.0, "4M"),
            (2.5e9, "2.5G"),
            (7e12, "7T"),
            (1e30, "1.00e18T"),
        ] {
            assert_eq!(short(value), wanted);
        }
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let some = |text: &str| Some(text.to_owned());
        for (variables, wanted) in [
            ([None, None, some("en_US.UTF-8")], true),
            ([some("C"), None, some("en_US.UTF-8")], false),
            ([some(""), some("C.utf8"), some("C")], true),
            ([None, None, None], false),
        ] {
            assert_eq!(is_utf8(variables.clone()), wanted, "{variables:?}");
        }
    }

    #[test]
    fn no_size_and_no_number_breaks_it() {
        let values = [Some(f64::MAX), Some(-f64::MAX), Some(1e-300), None, Some(0.0)];
        for (width, height) in [(0, 0), (1, 1), (5, 2), (300, 100)] {
            let drawn = frame(width, height, true).draw(&[series("a", &values)]);
            assert_eq!(drawn.len(), height.max(2) + 3);
        }
    }
}
