//! The figure of losses, values and temperature over the learner's steps.

use anyhow::Result;
use learner::metrics::{Metrics, MetricsLine};
use plotters::prelude::*;
use serde::Serialize;

use super::{
    axes::{Axes, ticks},
    chart::{
        Area, BLUE, FAINT_INK, GREEN, INK, Mark, ORANGE, VERMILION, bold, font, legend, line, px,
        render, short, thousands, write,
    },
    figures::{Figure, heading},
};

const POINTS_MAX: usize = 250;

/// The mean of neighbouring lines of metrics, so that a figure has no more points than it can
/// show. A figure that no line holds is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossPoint {
    pub learner_step: u64,
    pub critic_loss: Option<f64>,
    pub mean_q: Option<f64>,
    pub target_q: Option<f64>,
    pub actor_loss: Option<f64>,
    pub bc_loss: Option<f64>,
    pub temperature: Option<f64>,
    pub entropy: Option<f64>,
}

pub fn thinned(lines: &[MetricsLine]) -> Vec<LossPoint> {
    let group = lines.len().div_ceil(POINTS_MAX).max(1);
    let point = |lines: &[MetricsLine]| {
        let mean = |of: fn(&Metrics) -> Option<f32>| {
            let values = lines.iter().filter_map(|line| of(&line.metrics)).map(f64::from);
            let finite: Vec<_> = values.filter(|value| value.is_finite()).collect();
            (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
        };
        LossPoint {
            learner_step: lines[lines.len() - 1].learner_step,
            critic_loss: mean(|m| Some(m.critic_loss)),
            mean_q: mean(|m| Some(m.mean_q)),
            target_q: mean(|m| Some(m.target_q)),
            actor_loss: mean(|m| m.actor_loss),
            bc_loss: mean(|m| m.bc_loss),
            temperature: mean(|m| m.temperature),
            entropy: mean(|m| m.entropy),
        }
    };
    lines.chunks(group).map(point).collect()
}

struct Curve {
    name: &'static str,
    color: RGBColor,
    of: fn(&LossPoint) -> Option<f64>,
}

struct Panel {
    title: &'static str,
    logarithmic: bool,
    curves: &'static [Curve],
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Critic loss (logarithmic)",
        logarithmic: true,
        curves: &[Curve { name: "critic loss", color: BLUE, of: |p| p.critic_loss }],
    },
    Panel {
        title: "Values",
        logarithmic: false,
        curves: &[
            Curve { name: "target", color: ORANGE, of: |p| p.target_q },
            Curve { name: "Q of the batch", color: BLUE, of: |p| p.mean_q },
        ],
    },
    Panel {
        title: "Policy loss",
        logarithmic: false,
        curves: &[
            Curve { name: "actor loss", color: GREEN, of: |p| p.actor_loss },
            Curve { name: "behaviour cloning", color: VERMILION, of: |p| p.bc_loss },
        ],
    },
    Panel {
        title: "Entropy (nats) and temperature × 100",
        logarithmic: false,
        curves: &[
            Curve { name: "entropy", color: BLUE, of: |p| p.entropy },
            Curve {
                name: "temperature × 100",
                color: ORANGE,
                of: |p| p.temperature.map(|temperature| 100.0 * temperature),
            },
        ],
    },
];

pub fn figure(points: &[LossPoint]) -> Result<Figure> {
    let title = "Learning";
    let png = render(1000, 700, |area| {
        heading(area, title, "losses and values over the critic updates")?;
        let (_, below) = area.split_vertically(px(44));
        for (cell, panel) in below.split_evenly((2, 2)).iter().zip(&PANELS) {
            draw_panel(cell, panel, points)?;
        }
        Ok(())
    })?;
    let caption = "Every point is the mean of neighbouring lines of metrics.jsonl.".into();
    Ok(Figure { file_name: "losses.png", title, caption, png })
}

fn draw_panel(area: &Area, panel: &Panel, points: &[LossPoint]) -> Result<()> {
    write(area, panel.title, (20, 14), &bold(15, INK))?;
    let series = |curve: &Curve| -> Vec<(f64, f64)> {
        let at = |point: &LossPoint| {
            let value = (curve.of)(point)?;
            let value =
                if panel.logarithmic { (value > 0.0).then(|| value.log10())? } else { value };
            Some((point.learner_step as f64, value))
        };
        points.iter().filter_map(at).collect()
    };
    let drawn: Vec<_> = panel
        .curves
        .iter()
        .map(|curve| (curve, series(curve)))
        .filter(|(_, series)| !series.is_empty())
        .collect();
    if drawn.is_empty() {
        return write(area, "not computed in this run", (64, 60), &font(14, FAINT_INK));
    }
    if drawn.len() > 1 {
        let entries: Vec<_> =
            drawn.iter().map(|(curve, _)| (Mark::Line, curve.color, curve.name)).collect();
        legend(area, (64, 40), &entries)?;
    }
    let values = || drawn.iter().flat_map(|(_, series)| series.iter().map(|(_, value)| *value));
    let (mut low, mut high) =
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if panel.logarithmic {
        (low, high) = (low.floor(), high.ceil());
    }
    let room = (0.06 * (high - low)).max(1e-9 + 0.02 * high.abs());
    let y = if panel.logarithmic { low..high.max(low + 1.0) } else { low - room..high + room };
    let y_ticks = if panel.logarithmic {
        (low as i32..=y.end as i32).map(f64::from).collect()
    } else {
        ticks(&y, 5)
    };
    let y_format: &dyn Fn(f64) -> String =
        if panel.logarithmic { &|exponent| short(10_f64.powf(exponent)) } else { &short };
    let mut chart = Axes {
        x: 0.0..points.last().map_or(1.0, |point| point.learner_step as f64).max(1.0),
        x_name: "critic updates",
        x_format: &|x| thousands(x as u64),
        x_ticks: 5,
        y,
        y_format,
        y_ticks,
        margin_top: if drawn.len() > 1 { 58 } else { 32 },
        margin_right: 24,
        label_size: 13,
    }
    .draw(area)?;
    for (curve, series) in drawn {
        chart.draw_series(LineSeries::new(series, line(curve.color, 2)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_means_and_leaves_out_what_is_no_number() {
        let line = |learner_step, critic_loss| MetricsLine {
            learner_step,
            metrics: Metrics { critic_loss, ..Metrics::default() },
        };
        let lines: Vec<_> =
            (1..=500).map(|i| line(i, if i == 1 { f32::NAN } else { 2.0 })).collect();
        let points = thinned(&lines);
        assert_eq!(points.len(), 250);
        assert_eq!((points[0].learner_step, points[0].critic_loss), (2, Some(2.0)));
        assert_eq!(points[0].actor_loss, None);
        assert!(thinned(&[]).is_empty());
    }
}
