//! The four figures of a run as PNG files in memory.

use anyhow::Result;
use plotters::prelude::*;

use super::{
    axes::{Axes, labels_right, minutes_above, ticks},
    chart::{
        Area, BLUE, Chart, FAINT_INK, GREY, INK, Mark, ORANGE, VERMILION, bold, font, legend, line,
        px, render, short, signed_px, thousands, width_of, write,
    },
    curves::{CurvePoint, WINDOW},
    summary::EvaluationSummary,
};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 600;

const ENV_STEPS: &str = "training steps of the robot";

/// A picture of the report.
pub struct Figure {
    pub file_name: &'static str,
    pub title: &'static str,
    pub caption: String,
    pub png: Vec<u8>,
}

/// Success rates of the last training episodes, and beside them what the finished policy did.
pub fn success(
    curve: &[CurvePoint],
    evaluations: &[(&'static str, &EvaluationSummary)],
) -> Result<Figure> {
    let title = "Success";
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, title, "share of the last 20 training episodes")?;
        let (left, right) = if evaluations.is_empty() {
            (area.clone(), None)
        } else {
            let beside = 84 + 76 * evaluations.len() as u32;
            let (left, right) = area.split_horizontally(px(WIDTH - beside));
            (left, Some(right))
        };
        legend(
            &left,
            (64, 62),
            &[
                (Mark::Line, BLUE, "success of the policy alone"),
                (Mark::Line, ORANGE, "success with a person's help"),
                (Mark::Dot, GREY, "each episode"),
            ],
        )?;
        let mut chart = percent_axes(&left, curve)?;
        let dots = curve.iter().map(|point| {
            let y = if point.success { 1.035 } else { -0.035 };
            let color = match (point.success, point.human_steps > 0) {
                (false, _) => GREY,
                (true, false) => BLUE,
                (true, true) => ORANGE,
            };
            Circle::new((point.env_step as f64, y), signed_px(2), color.filled())
        });
        chart.draw_series(dots)?;
        rate(&mut chart, curve, BLUE, |point| point.success_autonomous)?;
        rate(&mut chart, curve, ORANGE, |point| point.success_assisted)?;
        if let Some(right) = right {
            evaluation_bars(&right, evaluations)?;
        }
        Ok(())
    })?;
    let caption = format!(
        "Lines: share of the last {WINDOW} training episodes that succeeded without a person's \
         hand, and with a person's help. Right: evaluation after training, with 95 % Wilson \
         intervals."
    );
    Ok(Figure { file_name: "success.png", title, caption, png })
}

/// Share of steps that a person drove.
pub fn intervention_rate(curve: &[CurvePoint]) -> Result<Figure> {
    let title = "Interventions";
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, title, "share of the steps that a person drove, in training episodes")?;
        legend(
            area,
            (64, 62),
            &[(Mark::Line, VERMILION, "last 20 episodes"), (Mark::Dot, GREY, "each episode")],
        )?;
        let mut chart = percent_axes(area, curve)?;
        let dots = curve.iter().map(|point| {
            let share = f64::from(point.human_steps) / f64::from(point.steps.max(1));
            Circle::new((point.env_step as f64, share), signed_px(3), GREY.mix(0.7).filled())
        });
        chart.draw_series(dots)?;
        rate(&mut chart, curve, VERMILION, |point| point.intervention_rate)
    })?;
    let caption = format!(
        "Share of the steps that a person drove: of each training episode, and of the last \
         {WINDOW} together."
    );
    Ok(Figure { file_name: "intervention_rate.png", title, caption, png })
}

/// Steps until success, beside what the person needed when demonstrating.
pub fn cycle_time(
    curve: &[CurvePoint],
    demonstrations: Option<f64>,
    step_period_s: f64,
) -> Result<Figure> {
    let title = "Cycle time";
    let successes = || curve.iter().filter(|point| point.success);
    let longest = successes().map(|p| f64::from(p.steps)).chain(demonstrations).fold(1.0, f64::max);
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, title, "of the training episodes that succeeded")?;
        let mut entries = vec![
            (Mark::Line, BLUE, "policy alone, mean of the last 20 episodes"),
            (Mark::Dot, BLUE, "each episode"),
            (Mark::Ring, ORANGE, "each with help"),
        ];
        if demonstrations.is_some() {
            entries.push((Mark::Dashed, INK, "mean demonstration"));
        }
        legend(area, (64, 62), &entries)?;
        let y = 0.0..longest * 1.06;
        let mut chart = Axes {
            x: env_steps(curve),
            x_name: ENV_STEPS,
            x_format: &|x| thousands(x as u64),
            x_ticks: 8,
            y_ticks: ticks(&y, 6),
            y: y.clone(),
            y_format: &short,
            margin_top: 116,
            margin_right: 66,
            label_size: 14,
        }
        .draw(area)?;
        write(area, "steps", (34, 96), &font(13, FAINT_INK))?;
        write(area, "seconds", (WIDTH as i32 - 66, 96), &font(13, FAINT_INK))?;
        let seconds = ticks(&(0.0..y.end * step_period_s), 6);
        let labels = seconds.iter().map(|s| (s / step_period_s, short(*s))).collect::<Vec<_>>();
        labels_right(area, &chart, &labels)?;
        minutes_above(area, &chart, &passage(curve))?;

        let at = |point: &CurvePoint| (point.env_step as f64, f64::from(point.steps));
        let (assisted, alone) = successes().partition::<Vec<_>, _>(|p| p.human_steps > 0);
        chart.draw_series(
            alone.iter().map(|p| Circle::new(at(p), signed_px(3), BLUE.mix(0.45).filled())),
        )?;
        chart.draw_series(
            assisted.iter().map(|p| Circle::new(at(p), signed_px(3), line(ORANGE, 1))),
        )?;
        if let Some(mean) = demonstrations {
            let ends = [(0.0, mean), (env_steps(curve).end, mean)];
            let dash = DashedLineSeries::new(ends, signed_px(7), signed_px(5), line(INK, 1));
            chart.draw_series(dash)?;
        }
        let means = curve.iter().filter_map(|p| Some((p.env_step as f64, p.cycle_time_steps?)));
        chart.draw_series(LineSeries::new(means, line(BLUE, 3)))?;
        Ok(())
    })?;
    let caption = "Steps from the first observation to success, of the training episodes that \
                   succeeded; the dashed line is the mean of the demonstrations."
        .into();
    Ok(Figure { file_name: "cycle_time.png", title, caption, png })
}

/// The title, and after it what is to be seen.
pub fn heading(area: &Area, title: &str, what: &str) -> Result<()> {
    let style = bold(22, INK);
    write(area, title, (20, 28), &style)?;
    let x = 20 + width_of(area, title, &style)? + 14;
    write(area, what, (x, 30), &font(15, FAINT_INK))
}

/// Shares over training steps, with the minutes above.
fn percent_axes<'a, 'b>(area: &'a Area<'b>, curve: &[CurvePoint]) -> Result<Chart<'a, 'b>> {
    let chart = Axes {
        x: env_steps(curve),
        x_name: ENV_STEPS,
        x_format: &|x| thousands(x as u64),
        x_ticks: 8,
        y: -0.06..1.06,
        y_format: &percent,
        y_ticks: ticks(&(0.0..1.0), 5),
        margin_top: 106,
        margin_right: 24,
        label_size: 14,
    }
    .draw(area)?;
    minutes_above(area, &chart, &passage(curve))?;
    if curve.is_empty() {
        write(area, "no training episodes yet", (100, 200), &font(16, FAINT_INK))?;
    }
    Ok(chart)
}

fn rate(
    chart: &mut Chart,
    curve: &[CurvePoint],
    color: RGBColor,
    of: impl Fn(&CurvePoint) -> f64,
) -> Result<()> {
    let points: Vec<_> = curve.iter().map(|point| (point.env_step as f64, of(point))).collect();
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        let mut outline = points.clone();
        outline.extend([(last.0, 0.0), (first.0, 0.0)]);
        chart.draw_series([Polygon::new(outline, color.mix(0.10).filled())])?;
    }
    chart.draw_series(LineSeries::new(points, line(color, 3)))?;
    Ok(())
}

fn evaluation_bars(area: &Area, evaluations: &[(&'static str, &EvaluationSummary)]) -> Result<()> {
    write(area, "evaluation", (64, 62), &font(14, INK))?;
    let mut chart = Axes {
        x: 0.0..evaluations.len() as f64,
        x_name: "",
        x_format: &|_| String::new(),
        x_ticks: 1,
        y: -0.06..1.06,
        y_format: &percent,
        y_ticks: ticks(&(0.0..1.0), 5),
        margin_top: 106,
        margin_right: 14,
        label_size: 14,
    }
    .draw(area)?;
    for (i, (name, evaluation)) in evaluations.iter().enumerate() {
        let x = i as f64 + 0.5;
        let Some([lower, upper]) = evaluation.success_interval_95 else { continue };
        let rate = evaluation.successes as f64 / evaluation.episodes as f64;
        chart.draw_series([PathElement::new([(x, lower), (x, upper)], line(BLUE, 3))])?;
        chart.draw_series([Circle::new((x, rate), signed_px(6), BLUE.filled())])?;
        let (column, row) = chart.backend_coord(&(x, 0.0));
        let (origin_x, origin_y) = area.get_base_pixel();
        let centred = |text: String, y: i32, style: TextStyle<'static>| {
            use plotters::style::text_anchor::{HPos, Pos, VPos};
            let style = style.pos(Pos::new(HPos::Center, VPos::Center));
            area.draw(&Text::new(text, (column - origin_x, y), style))
        };
        let below = row - origin_y + signed_px(44);
        centred((*name).to_owned(), below, font(14, INK))?;
        let count = format!("{}/{}", evaluation.successes, evaluation.episodes);
        centred(count, below + signed_px(20), font(14, FAINT_INK))?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn env_steps(curve: &[CurvePoint]) -> std::ops::Range<f64> {
    0.0..curve.last().map_or(1.0, |point| point.env_step as f64).max(1.0)
}

fn passage(curve: &[CurvePoint]) -> Vec<(f64, f64)> {
    curve.iter().map(|point| (point.env_step as f64, point.minutes)).collect()
}
