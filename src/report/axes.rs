//! Axes of the figures: a grid with labels at the left and below, minutes above, and a second
//! scale at the right where wanted.

use std::ops::Range;

use anyhow::Result;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::chart::{self, Area, Chart, FAINT_INK, GRID, font, line, px, signed_px};

/// Where the axes lie and what they say. Margins in pixels of the finished picture.
pub struct Axes<'t> {
    pub x: Range<f64>,
    pub x_name: &'t str,
    pub x_format: &'t dyn Fn(f64) -> String,
    pub x_ticks: u32,
    pub y: Range<f64>,
    pub y_format: &'t dyn Fn(f64) -> String,
    pub y_ticks: Vec<f64>,
    pub margin_top: u32,
    pub margin_right: u32,
    pub label_size: u32,
}

impl Axes<'_> {
    /// Draws the axes; what is drawn on the chart afterwards lies over the grid.
    pub fn draw<'a, 'b>(&self, area: &'a Area<'b>) -> Result<Chart<'a, 'b>> {
        let mut builder = ChartBuilder::on(area);
        builder
            .margin_top(px(self.margin_top))
            .margin_right(px(self.margin_right))
            .margin_bottom(px(10))
            .margin_left(px(8))
            .y_label_area_size(px(56))
            .x_label_area_size(px(46));
        let chart = builder.build_cartesian_2d(self.x.clone(), self.y.clone())?;

        let style = font(self.label_size, FAINT_INK);
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        for value in ticks(&self.x, self.x_ticks) {
            let x = chart.backend_coord(&(value, self.y.start)).0;
            let label = style.pos(Pos::new(HPos::Center, VPos::Top));
            let at = relative(area, (x, rows.end + signed_px(6)));
            area.draw(&Text::new((self.x_format)(value), at, label))?;
        }
        let middle = (columns.start + columns.end) / 2;
        let at = relative(area, (middle, rows.end + signed_px(26)));
        area.draw(&Text::new(
            self.x_name.to_owned(),
            at,
            style.pos(Pos::new(HPos::Center, VPos::Top)),
        ))?;
        for value in &self.y_ticks {
            let y = chart.backend_coord(&(self.x.start, *value)).1;
            let (left, right) = (columns.start, columns.end);
            area.draw(&PathElement::new(
                [relative(area, (left, y)), relative(area, (right, y))],
                line(GRID, 1),
            ))?;
            let at = relative(area, (left - signed_px(8), y));
            let label = style.pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new((self.y_format)(*value), at, label))?;
        }
        let corners = [(columns.start, rows.end), (columns.end, rows.end)];
        area.draw(&PathElement::new(corners.map(|at| relative(area, at)), line(FAINT_INK, 1)))?;
        Ok(chart)
    }
}

/// Round numbers inside `range`.
pub fn ticks(range: &Range<f64>, most: u32) -> Vec<f64> {
    let step = chart::nice_step(range.end - range.start, most);
    let first = (range.start / step - 1e-9).ceil() as i64;
    let last = (range.end / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Backend coordinates as those of `area`.
fn relative(area: &Area, (x, y): (i32, i32)) -> (i32, i32) {
    let (origin_x, origin_y) = area.get_base_pixel();
    (x - origin_x, y - origin_y)
}

/// Marks above the chart where each round number of minutes had passed. `passage` holds (x,
/// minutes) of moments in the order of time.
pub fn minutes_above(area: &Area, chart: &Chart, passage: &[(f64, f64)]) -> Result<()> {
    let Some((_, total)) = passage.last() else { return Ok(()) };
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let style = font(12, FAINT_INK);
    let mut marks = ticks(&(0.0..*total), 8);
    marks.retain(|minute| *minute > 0.0);
    for minute in marks {
        let x = chart.backend_coord(&(x_at(passage, minute), 0.0)).0;
        let top = rows.start;
        area.draw(&PathElement::new(
            [relative(area, (x, top)), relative(area, (x, top - signed_px(5)))],
            line(FAINT_INK, 1),
        ))?;
        let at = relative(area, (x, top - signed_px(15)));
        let label = style.pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(format!("{} min", chart::short(minute)), at, label))?;
    }
    let line_ends = [(columns.start, rows.start), (columns.end, rows.start)];
    area.draw(&PathElement::new(line_ends.map(|at| relative(area, at)), line(GRID, 1)))?;
    Ok(())
}

/// Labels at the right: `values` are (y of the chart, text).
pub fn labels_right(area: &Area, chart: &Chart, values: &[(f64, String)]) -> Result<()> {
    let (columns, _) = chart.plotting_area().get_pixel_range();
    for (value, text) in values {
        let y = chart.backend_coord(&(0.0, *value)).1;
        let at = relative(area, (columns.end + signed_px(8), y));
        let label = font(13, FAINT_INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(text.clone(), at, label))?;
    }
    Ok(())
}

/// Where on the x axis the run was at `minute`: straight lines between the moments known.
fn x_at(passage: &[(f64, f64)], minute: f64) -> f64 {
    let after = passage.partition_point(|(_, m)| *m < minute).min(passage.len() - 1);
    let (x1, m1) = passage[after];
    let (x0, m0) = if after == 0 { (0.0, 0.0) } else { passage[after - 1] };
    if m1 > m0 { x0 + (x1 - x0) * (minute - m0) / (m1 - m0) } else { x1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stay_inside_the_range() {
        assert_eq!(ticks(&(0.0..100.0), 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(&(-1.5..1.5), 4), [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn minutes_between_two_moments_are_interpolated() {
        let passage = [(100.0, 1.0), (300.0, 2.0), (300.0, 5.0)];
        for (minute, x) in [(0.5, 50.0), (1.5, 200.0), (4.0, 300.0), (9.0, 300.0)] {
            assert_eq!(x_at(&passage, minute), x, "minute {minute}");
        }
    }
}
