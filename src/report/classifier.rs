//! The report of a classifier: calibration, how its probabilities lie, and the frames that it takes
//! for what they are not, as pictures. PNG files, one HTML page, and the figures as data.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use learner::classifier::{CalibrationBin, Figures};
use maud::{Markup, html};
use plotters::{element::BitMapElement, prelude::*};
use serde::Serialize;
use wire::Frame;

use super::{
    axes::{Axes, ticks},
    chart::{
        BLUE, FAINT_INK, GREY, INK, Mark, ORANGE, VERMILION, font, legend, line, px, render, short,
        signed_px, write,
    },
    figures::{Figure, heading},
    interval::success_interval,
    sheet::{pictures, sheet, tile},
};
use crate::replace::replace_file;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 480;
/// Side of a misjudged frame on its sheet.
const TILE: u32 = 160;
const COLUMNS: u32 = 6;
const BARS: usize = 40;

/// A frame that is taken for what it is not.
pub struct Misjudged {
    pub picture: Frame,
    pub probability: f32,
    pub label: u8,
    pub held_out: bool,
    /// Where it comes from, in words.
    pub place: String,
}

/// The figures, as `summary.json` has them.
#[derive(Clone, Debug, Serialize)]
pub struct ClassifierSummary {
    pub run: String,
    pub task: String,
    pub seed: u64,
    pub episodes: usize,
    pub frames: usize,
    /// Frames that show success.
    pub positives: usize,
    /// Frames beside a change of the mark.
    pub left_out: usize,
    pub held_out_frames: usize,
    pub wanted_false_positive_rate: f64,
    /// Reading the frames, and computing features where they are of another backbone.
    pub read_seconds: f64,
    pub train_seconds: f64,
    /// Of the last tenth of the updates.
    pub loss: f64,
    /// Of the held-out frames, for each output of the classifier.
    pub outputs: Vec<Figures>,
    /// The output that says that the task is done.
    pub success_output: usize,
}

pub struct ClassifierReport {
    pub summary: ClassifierSummary,
    /// Of every frame: probability of success, whether it shows it, whether it was held out.
    pub probabilities: Vec<(f32, bool, bool)>,
    pub misjudged: Vec<Misjudged>,
}

impl ClassifierSummary {
    fn success(&self) -> &Figures {
        &self.outputs[self.success_output]
    }

    pub fn in_words(&self) -> String {
        let figures = self.success();
        let upper = success_interval(figures.false_positives, figures.negatives())
            .map_or("unknown".into(), |(_, upper)| percent(Some(upper)));
        format!(
            "trained on {} frames of {} episodes in {:.0} s; on {} that were held out: precision {}, \
             recall {}, false positives {} (95 %: at most {upper}), threshold {:.3}, calibration \
             error {:.3}",
            self.frames - self.held_out_frames,
            self.episodes,
            self.train_seconds,
            self.held_out_frames,
            percent(figures.precision()),
            percent(figures.recall()),
            percent(figures.false_positive_rate()),
            figures.threshold,
            figures.calibration_error().unwrap_or_default(),
        )
    }
}

impl ClassifierReport {
    /// Writes the report's folder, over what was there.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let figures = [
            calibration(&self.summary.success().calibration)?,
            probabilities(&self.probabilities, self.summary.success().threshold)?,
            misjudged(&self.misjudged)?,
        ];
        for figure in &figures {
            replace_file(&folder.join(figure.file_name), &figure.png)?;
        }
        replace_file(&folder.join("index.html"), page(&self.summary, &figures).as_bytes())?;
        let json = serde_json::to_string_pretty(&self.summary).context("encoding summary.json")?;
        replace_file(&folder.join("summary.json"), (json + "\n").as_bytes())
    }
}

/// What is said beside what is so: on the diagonal both agree.
fn calibration(bins: &[CalibrationBin]) -> Result<Figure> {
    let title = "Calibration";
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, title, "of the held-out frames")?;
        let entries = [
            (Mark::Dashed, GREY, "said as it is"),
            (Mark::Dot, BLUE, "frames of about one probability; larger: more of them"),
        ];
        legend(area, (64, 62), &entries)?;
        let mut chart = Axes {
            x: 0.0..1.0,
            x_name: "probability of success, as the classifier says",
            x_format: &short,
            x_ticks: 10,
            y: -0.03..1.03,
            y_format: &|share| format!("{:.0} %", 100.0 * share),
            y_ticks: ticks(&(0.0..1.0), 5),
            margin_top: 86,
            margin_right: 24,
            label_size: 14,
        }
        .draw(area)?;
        let diagonal = [(0.0, 0.0), (1.0, 1.0)];
        let dashes = DashedLineSeries::new(diagonal, signed_px(7), signed_px(5), line(GREY, 1));
        chart.draw_series(dashes)?;
        let filled = || bins.iter().filter(|bin| bin.frames > 0);
        let points = filled().map(|bin| (bin.predicted, bin.observed));
        chart.draw_series(LineSeries::new(points, line(BLUE, 2)))?;
        let dots = filled().map(|bin| {
            let size = 3.0 + 2.0 * (bin.frames as f64).log10();
            Circle::new((bin.predicted, bin.observed), signed_px(size as i32), BLUE.filled())
        });
        chart.draw_series(dots)?;
        Ok(())
    })?;
    let caption = "Share of frames that show success among those that are given about the same \
                   probability of it."
        .into();
    Ok(Figure { file_name: "calibration.png", title, caption, png })
}

/// How the probabilities of both kinds lie about the threshold.
fn probabilities(frames: &[(f32, bool, bool)], threshold: f32) -> Result<Figure> {
    let title = "Probabilities";
    let mut counts = [[0_usize; BARS]; 2];
    for (probability, shows, _) in frames.iter().filter(|(_, _, held_out)| *held_out) {
        let bar = ((probability * BARS as f32) as usize).min(BARS - 1);
        counts[usize::from(*shows)][bar] += 1;
    }
    // A logarithm shows the few frames between the many at both ends.
    let height = |count: usize| (count as f64 + 1.0).log10();
    let most = counts.iter().flatten().map(|count| height(*count)).fold(1.0, f64::max);
    let png = render(WIDTH, HEIGHT, |area| {
        heading(area, title, "held-out frames by their probability of success")?;
        let entries = [
            (Mark::Line, BLUE, "show success"),
            (Mark::Line, ORANGE, "do not"),
            (Mark::Dashed, INK, "threshold"),
        ];
        legend(area, (64, 62), &entries)?;
        let mut chart = Axes {
            x: 0.0..1.0,
            x_name: "probability of success, as the classifier says",
            x_format: &short,
            x_ticks: 10,
            y: 0.0..most * 1.05,
            y_format: &|y| short((10_f64.powf(y) - 1.0).round()),
            y_ticks: [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
                .into_iter()
                .map(height)
                .filter(|y| *y <= most * 1.05)
                .collect(),
            margin_top: 86,
            margin_right: 24,
            label_size: 14,
        }
        .draw(area)?;
        let width = 1.0 / BARS as f64;
        for (kind, color) in [(0, ORANGE), (1, BLUE)] {
            let bars = counts[kind].iter().enumerate().filter(|(_, count)| **count > 0);
            let offset = width * (0.08 + 0.42 * kind as f64);
            chart.draw_series(bars.map(|(bar, count)| {
                let left = bar as f64 * width + offset;
                Rectangle::new([(left, 0.0), (left + 0.42 * width, height(*count))], color.filled())
            }))?;
        }
        let at = f64::from(threshold);
        let ends = [(at, 0.0), (at, most * 1.05)];
        chart.draw_series(DashedLineSeries::new(ends, signed_px(7), signed_px(5), line(INK, 1)))?;
        Ok(())
    })?;
    let caption = "How many held-out frames have which probability, by what they show; the scale \
                   is logarithmic. What lies right of the threshold counts as success."
        .into();
    Ok(Figure { file_name: "probabilities.png", title, caption, png })
}

/// One sheet of all misjudged frames.
fn misjudged(frames: &[Misjudged]) -> Result<Figure> {
    let title = "Misjudged frames";
    let rows = (frames.len() as u32).div_ceil(COLUMNS);
    let height = 90 + rows * (TILE + 50);
    let png = render(WIDTH, height.max(130), |area| {
        heading(area, title, "the surest mistakes first")?;
        if frames.is_empty() {
            return write(area, "none", (24, 80), &font(16, FAINT_INK));
        }
        for (i, frame) in (0..).zip(frames) {
            let (column, row) = (i % COLUMNS, i / COLUMNS);
            let at = ((20 + column * (TILE + 3)) as i32, (60 + row * (TILE + 50)) as i32);
            let side = px(TILE);
            let pixels = scaled(&frame.picture, side);
            let place = (signed_px(at.0), signed_px(at.1));
            let picture: Option<BitMapElement<'_, (i32, i32)>> =
                BitMapElement::with_owned_buffer(place, (side, side), pixels);
            let picture = picture
                .ok_or_else(|| anyhow!("a picture of {side} pixels does not fit its buffer"))?;
            area.draw(&picture)?;
            let said = format!("{:.2} for class {}", frame.probability, frame.label);
            let color = if frame.held_out { VERMILION } else { INK };
            write(area, &said, (at.0, at.1 + TILE as i32 + 12), &font(13, color))?;
            let below = (at.0, at.1 + TILE as i32 + 29);
            write(area, &frame.place, below, &font(12, FAINT_INK))?;
        }
        Ok(())
    })?;
    let caption =
        "Probability of success and the label that a person gave. Red: held out. A frame \
                   whose label is wrong is mended by collecting it again; others by more like it."
            .into();
    Ok(Figure { file_name: "misjudged.png", title, caption, png })
}

/// The nearest pixel of the frame for each of `side` x `side`.
fn scaled(frame: &Frame, side: u32) -> Vec<u8> {
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let side = side as usize;
    let mut pixels = Vec::with_capacity(3 * side * side);
    for y in 0..side {
        for x in 0..side {
            let at = 3 * (y * height / side * width + x * width / side);
            pixels.extend_from_slice(&frame.pixels[at..at + 3]);
        }
    }
    pixels
}

fn page(summary: &ClassifierSummary, figures: &[Figure]) -> String {
    let success = summary.success();
    let body = html! {
        h1 { "Reward classifier of " (summary.run) }
        p.sub { "task " (summary.task) ", seed " (summary.seed) }
        div.tiles {
            (tile(&percent(success.precision()), "precision: of what it takes for success, how much is"))
            (tile(&percent(success.recall()), "recall: of all success, how much it sees"))
            (tile(&percent(success.false_positive_rate()), "of the frames without success are taken for it"))
            (tile(&short(success.calibration_error().unwrap_or_default()), "mean gap between what it says and what is so"))
        }
        p.sub {
            "On " (summary.held_out_frames) " frames of episodes that it was not trained on. "
            "Threshold " (format!("{:.3}", success.threshold)) ", chosen for at most "
            (percent(Some(summary.wanted_false_positive_rate))) " false positives."
        }
        (pictures(figures))
        (counts(summary))
        @if summary.outputs.len() > 1 { (outputs(summary)) }
        p.sub { "The same figures as data: " code { "summary.json" } "." }
    };
    sheet(&format!("reins: classifier of {}", summary.run), &body)
}

fn counts(summary: &ClassifierSummary) -> Markup {
    let success = summary.success();
    let rows = [
        ("labelled episodes", summary.episodes.to_string()),
        ("frames", summary.frames.to_string()),
        ("frames that show success", summary.positives.to_string()),
        ("frames left out beside a change of the mark", summary.left_out.to_string()),
        ("held-out frames that show success and are seen", success.true_positives.to_string()),
        ("held-out frames that show success and are missed", success.false_negatives.to_string()),
        ("held-out frames that are taken for success", success.false_positives.to_string()),
        (
            "seconds of reading and of training",
            format!("{:.1} and {:.1}", summary.read_seconds, summary.train_seconds),
        ),
    ];
    html! {
        section {
            h2 { "Frames" }
            table { @for (name, value) in rows { tr { th { (name) } td.n { (value) } } } }
        }
    }
}

fn outputs(summary: &ClassifierSummary) -> Markup {
    html! {
        section {
            h2 { "Classes or stages" }
            table {
                tr { th { "output" } th { "precision" } th { "recall" } th { "threshold" } }
                @for (i, figures) in summary.outputs.iter().enumerate() {
                    tr {
                        th { (i) @if i == summary.success_output { ", success" } }
                        td.n { (percent(figures.precision())) }
                        td.n { (percent(figures.recall())) }
                        td.n { (format!("{:.3}", figures.threshold)) }
                    }
                }
            }
        }
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("none".into(), |share| format!("{:.2} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use learner::classifier::Judged;

    use super::*;

    fn frame(shade: u8) -> Frame {
        Frame::new(4, 2, vec![shade; 24]).unwrap()
    }

    fn report(misjudged: usize) -> ClassifierReport {
        let judged: Vec<Judged> =
            (0..200).map(|i| Judged { probability: (i as f32 / 200.0), shows: i > 120 }).collect();
        let figures = Figures::new(&judged, 0.6);
        ClassifierReport {
            summary: ClassifierSummary {
                run: "labels".into(),
                task: "insert".into(),
                seed: 0,
                episodes: 10,
                frames: 800,
                positives: 300,
                left_out: 20,
                held_out_frames: 200,
                wanted_false_positive_rate: 0.01,
                read_seconds: 1.0,
                train_seconds: 2.0,
                loss: 0.1,
                outputs: vec![figures],
                success_output: 0,
            },
            probabilities: judged.iter().map(|j| (j.probability, j.shows, true)).collect(),
            misjudged: (0..misjudged)
                .map(|i| Misjudged {
                    picture: frame(i as u8),
                    probability: 0.9,
                    label: 0,
                    held_out: i % 2 == 0,
                    place: format!("episode {i}, step 1"),
                })
                .collect(),
        }
    }

    #[test]
    fn the_report_is_written_whole_with_and_without_mistakes() {
        for misjudged in [0, 7] {
            let folder = tempfile::tempdir().unwrap();
            report(misjudged).write(folder.path()).unwrap();
            for name in ["calibration.png", "probabilities.png", "misjudged.png"] {
                let bytes = fs::read(folder.path().join(name)).unwrap();
                assert!(bytes.starts_with(b"\x89PNG"), "{name}");
            }
            let page = fs::read_to_string(folder.path().join("index.html")).unwrap();
            assert!(page.contains("</html>") && !page.contains("http"));
            let json = fs::read_to_string(folder.path().join("summary.json")).unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["frames"], 800);
        }
    }

    #[test]
    fn a_picture_is_enlarged_pixel_by_pixel() {
        let mut pixels = vec![0; 24];
        pixels[3 * 3] = 9;
        let frame = Frame::new(4, 2, pixels).unwrap();
        let large = scaled(&frame, 8);
        let red = |x: usize, y: usize| large[3 * (y * 8 + x)];
        assert_eq!(large.len(), 3 * 64);
        assert_eq!([red(6, 0), red(7, 3), red(5, 0), red(6, 4)], [9, 9, 0, 0]);
    }
}
