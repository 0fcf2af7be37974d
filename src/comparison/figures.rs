//! Curves of all groups over training time: the mean over a group's runs, and how far they spread.

use anyhow::Result;
use plotters::prelude::*;

use super::group::{Group, Member};
use crate::report::{
    CurvePoint, Figure,
    axes::{Axes, ticks},
    chart::{
        BLUE, Chart, FAINT_INK, GREEN, GREY, Mark, ORANGE, PURPLE, SKY, VERMILION, font, legend,
        line, render, short, write,
    },
    heading,
};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 600;
/// More groups than colours share the last one.
const COLORS: [RGBColor; 7] = [BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY];
/// Moments at which the runs of a group are compared.
const MOMENTS: u32 = 240;

/// What is drawn over training time.
struct Measure {
    file_name: &'static str,
    title: &'static str,
    what: &'static str,
    caption: &'static str,
    percent: bool,
    of: fn(&CurvePoint) -> Option<f64>,
}

const MEASURES: [Measure; 4] = [
    Measure {
        file_name: "success_alone.png",
        title: "Success alone",
        what: "share of the last 20 training episodes, without a person's hand",
        caption: "Share of the last 20 training episodes in which the policy succeeded by itself.",
        percent: true,
        of: |point| Some(point.success_autonomous),
    },
    Measure {
        file_name: "success_with_help.png",
        title: "Success with help",
        what: "share of the last 20 training episodes, with a person's help",
        caption: "Share of the last 20 training episodes that succeeded and in which a person drove.",
        percent: true,
        of: |point| Some(point.success_assisted),
    },
    Measure {
        file_name: "interventions.png",
        title: "Interventions",
        what: "share of the steps of the last 20 training episodes that a person drove",
        caption: "Share of the steps of the last 20 training episodes that a person drove.",
        percent: true,
        of: |point| Some(point.intervention_rate),
    },
    Measure {
        file_name: "cycle_time.png",
        title: "Cycle time",
        what: "steps to success without help, mean of the last 20 training episodes",
        caption: "Steps to success of those of the last 20 training episodes that succeeded without \
                  help.",
        percent: false,
        of: |point| point.cycle_time_steps,
    },
];

pub fn all(groups: &[Group]) -> Result<Vec<Figure>> {
    MEASURES.iter().map(|measure| figure(groups, measure)).collect()
}

fn figure(groups: &[Group], measure: &Measure) -> Result<Figure> {
    let curves: Vec<Vec<Spread>> = groups.iter().map(|group| spread(group, measure.of)).collect();
    let last = |curve: &Vec<Spread>| curve.last().map_or(0.0, |spread| spread.minute);
    let longest = curves.iter().map(last).fold(0.0, f64::max);
    let highest = curves.iter().flatten().map(|spread| spread.highest).fold(1.0, f64::max);
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, measure.title, measure.what)?;
        let names: Vec<String> = groups.iter().map(name).collect();
        let entries: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(index, name)| (Mark::Line, color(index), name.as_str()))
            .collect();
        legend(area, (64, 62), &entries)?;
        let y = if measure.percent { -0.02..1.04 } else { 0.0..highest * 1.06 };
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let mut chart = Axes {
            x: 0.0..longest.max(0.1),
            x_name: "minutes of training",
            x_format: &short,
            x_ticks: 8,
            y_format: if measure.percent { &percent } else { &short },
            y_ticks: if measure.percent { ticks(&(0.0..1.0), 5) } else { ticks(&y, 6) },
            y,
            margin_top: 96,
            margin_right: 24,
            label_size: 14,
        }
        .draw(area)?;
        if curves.iter().all(Vec::is_empty) {
            write(area, "no training episodes yet", (100, 200), &font(16, FAINT_INK))?;
        }
        curves.iter().enumerate().try_for_each(|(index, curve)| draw(&mut chart, curve, index))
    })?;
    let caption = format!(
        "{} Lines: mean over a group's runs; shade: from the lowest to the highest of them. A curve \
         goes as far as its shortest run.",
        measure.caption
    );
    Ok(Figure { file_name: measure.file_name, title: measure.title, caption, png })
}

fn draw(chart: &mut Chart, curve: &[Spread], index: usize) -> Result<()> {
    let color = color(index);
    let mut outline: Vec<_> = curve.iter().map(|at| (at.minute, at.highest)).collect();
    outline.extend(curve.iter().rev().map(|at| (at.minute, at.lowest)));
    if outline.len() > 2 {
        chart.draw_series([Polygon::new(outline, color.mix(0.14).filled())])?;
    }
    let means = curve.iter().map(|at| (at.minute, at.mean));
    chart.draw_series(LineSeries::new(means, line(color, 3)))?;
    Ok(())
}

fn color(index: usize) -> RGBColor {
    COLORS[index.min(COLORS.len() - 1)]
}

fn name(group: &Group) -> String {
    match group.runs.len() {
        1 => group.name.clone(),
        runs => format!("{} ({runs} seeds)", group.name),
    }
}

/// What a group's runs show at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    minute: f64,
    mean: f64,
    lowest: f64,
    highest: f64,
}

/// At evenly spaced moments up to the end of the shortest run; only where every run shows something.
fn spread(group: &Group, of: fn(&CurvePoint) -> Option<f64>) -> Vec<Spread> {
    let end = |run: &Member| run.summary.curves.training.last().map_or(0.0, |point| point.minutes);
    let shortest = group.runs.iter().map(end).fold(f64::INFINITY, f64::min);
    if !(shortest > 0.0 && shortest.is_finite()) {
        return Vec::new();
    }
    let at = |moment: u32| {
        let minute = shortest * f64::from(moment) / f64::from(MOMENTS);
        let shown = |run: &Member| value_at(&run.summary.curves.training, minute, of);
        let values: Vec<f64> = group.runs.iter().map(shown).collect::<Option<_>>()?;
        Some(Spread {
            minute,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    (0..=MOMENTS).filter_map(at).collect()
}

/// The last value shown by then; `None` before the first.
fn value_at(curve: &[CurvePoint], minute: f64, of: fn(&CurvePoint) -> Option<f64>) -> Option<f64> {
    let by_then = curve.partition_point(|point| point.minutes <= minute);
    curve[..by_then].iter().rev().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::{group, run};

    fn alone(group: &Group) -> Vec<(f64, f64, f64, f64)> {
        let of = |point: &CurvePoint| Some(point.success_autonomous);
        let tuple = |at: Spread| (at.minute, at.mean, at.lowest, at.highest);
        spread(group, of).into_iter().map(tuple).collect()
    }

    #[test]
    fn a_curve_is_the_mean_of_its_runs_within_their_spread() {
        // Success alone after each minute.
        let both = group(vec![run("a-0", &[0.0, 0.5, 1.0]), run("a-1", &[0.0, 0.25, 0.5, 0.75])]);
        let curve = alone(&both);
        assert_eq!(curve.first(), Some(&(1.0, 0.0, 0.0, 0.0)), "nothing before the first episode");
        assert!(curve.contains(&(2.0, 0.375, 0.25, 0.5)));
        assert_eq!(curve.last(), Some(&(3.0, 0.75, 0.5, 1.0)), "as far as the shortest run");
    }

    #[test]
    fn runs_without_training_have_no_curve() {
        assert_eq!(alone(&group(vec![run("a-0", &[])])), []);
        assert_eq!(alone(&group(vec![run("a-0", &[1.0]), run("a-1", &[])])), []);
    }
}
