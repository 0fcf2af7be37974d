//! A canvas with one look: light background, colours that the colour-blind can tell apart, a font
//! that comes with the program. Knows nothing of episodes or losses.

use anyhow::{Context, Result, anyhow};
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
    style::{
        FontStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Everything is drawn this many times larger and averaged down, which smooths every edge.
const OVERSAMPLING: u32 = 3;

const FONT: &str = "report";

pub const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
pub const INK: RGBColor = RGBColor(33, 37, 41);
pub const FAINT_INK: RGBColor = RGBColor(108, 117, 125);
pub const GRID: RGBColor = RGBColor(228, 231, 235);

// M. Okabe, K. Ito, Color Universal Design (2008).
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub const SKY: RGBColor = RGBColor(86, 180, 233);
pub const GREY: RGBColor = RGBColor(150, 156, 163);

pub type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
pub type Chart<'a, 'b> =
    ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Pixels of the finished picture as pixels of the canvas.
pub fn px(finished: u32) -> u32 {
    finished * OVERSAMPLING
}

pub fn signed_px(finished: i32) -> i32 {
    finished * OVERSAMPLING as i32
}

/// Draws a picture of `width` x `height` pixels; returns it as a PNG file.
pub fn render(width: u32, height: u32, draw: impl FnOnce(&Area) -> Result<()>) -> Result<Vec<u8>> {
    for (style, bytes) in
        [(FontStyle::Normal, notosans::REGULAR_TTF), (FontStyle::Bold, notosans::BOLD_TTF)]
    {
        register_font(FONT, style, bytes).map_err(|_| anyhow!("the built-in font is damaged"))?;
    }
    let (canvas_width, canvas_height) = (px(width), px(height));
    let mut canvas = vec![0; 3 * canvas_width as usize * canvas_height as usize];
    {
        let area = BitMapBackend::with_buffer(&mut canvas, (canvas_width, canvas_height))
            .into_drawing_area();
        area.fill(&BACKGROUND)?;
        draw(&area)?;
        area.present()?;
    }
    encode(width, height, &averaged_down(&canvas, canvas_width as usize))
}

/// The mean of every square of `OVERSAMPLING`² pixels.
fn averaged_down(canvas: &[u8], canvas_width: usize) -> Vec<u8> {
    let n = OVERSAMPLING as usize;
    let row_bytes = 3 * canvas_width;
    let mut picture = Vec::with_capacity(canvas.len() / (n * n));
    for rows in canvas.chunks_exact(n * row_bytes) {
        for x in 0..canvas_width / n {
            for channel in 0..3 {
                let start = 3 * n * x + channel;
                let square = (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
                let sum: u32 = square
                    .map(|(row, column)| u32::from(rows[row * row_bytes + start + 3 * column]))
                    .sum();
                picture.push((sum / (OVERSAMPLING * OVERSAMPLING)) as u8);
            }
        }
    }
    picture
}

fn encode(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels).context("encoding a figure")?;
    writer.finish()?;
    Ok(file)
}

pub fn font(size: u32, color: RGBColor) -> TextStyle<'static> {
    let color = color.to_backend_color();
    TextStyle { font: (FONT, px(size)).into_font(), color, pos: Pos::default() }
}

pub fn bold(size: u32, color: RGBColor) -> TextStyle<'static> {
    let font = (FONT, px(size), FontStyle::Bold).into_font();
    TextStyle { font, ..self::font(size, color) }
}

pub fn line(color: RGBColor, width: u32) -> ShapeStyle {
    color.stroke_width(px(width))
}

/// Writes at (x, y) of the finished picture, the text's left edge and middle there.
pub fn write(area: &Area, text: &str, (x, y): (i32, i32), style: &TextStyle) -> Result<()> {
    let style = style.pos(Pos::new(HPos::Left, VPos::Center));
    Ok(area.draw(&Text::new(text.to_owned(), (signed_px(x), signed_px(y)), style))?)
}

/// How wide `text` is in the finished picture.
pub fn width_of(area: &Area, text: &str, style: &TextStyle) -> Result<i32> {
    Ok((area.estimate_text_size(text, style)?.0 / OVERSAMPLING) as i32)
}

/// How something looks in a figure, so that the legend looks the same.
#[derive(Clone, Copy)]
pub enum Mark {
    Line,
    Dashed,
    Dot,
    Ring,
}

/// One row of marks and names, from the left.
pub fn legend(
    area: &Area,
    (mut x, y): (i32, i32),
    entries: &[(Mark, RGBColor, &str)],
) -> Result<()> {
    let style = font(14, INK);
    let at = |x: i32| (signed_px(x), signed_px(y));
    for (mark, color, name) in entries {
        let mark_width = match mark {
            Mark::Line => {
                area.draw(&PathElement::new([at(x), at(x + 22)], line(*color, 3)))?;
                22
            }
            Mark::Dashed => {
                for dash in [x, x + 9, x + 18] {
                    area.draw(&PathElement::new([at(dash), at(dash + 5)], line(*color, 2)))?;
                }
                22
            }
            Mark::Dot => {
                area.draw(&Circle::new(at(x + 4), signed_px(4), color.filled()))?;
                8
            }
            Mark::Ring => {
                area.draw(&Circle::new(at(x + 4), signed_px(4), line(*color, 2)))?;
                8
            }
        };
        write(area, name, (x + mark_width + 7, y), &style)?;
        x += mark_width + 7 + width_of(area, name, &style)? + 24;
    }
    Ok(())
}

/// A step of 1, 2 or 5 times a power of ten that gives at most `most` ticks over `span`.
pub fn nice_step(span: f64, most: u32) -> f64 {
    let rough = span / f64::from(most.max(1));
    if !(rough > 0.0 && rough.is_finite()) {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0].into_iter();
    factors.map(|factor| factor * power).find(|step| *step >= rough * 0.999).unwrap_or(rough)
}

/// `1234567` as `1 234 567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// A number with as many digits as a reader needs.
pub fn short(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 {
        "0".into()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{x:.0e}")
    } else {
        let text = format!("{x:.*}", (2.0 - size.log10().floor()).clamp(0.0, 5.0) as usize);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_fall_on_round_numbers() {
        for (span, most, step) in [(100.0, 6, 20.0), (7.3, 8, 1.0), (47_000.0, 8, 10_000.0)] {
            assert_eq!(nice_step(span, most), step);
        }
        assert_eq!(nice_step(0.0, 5), 1.0);
    }

    #[test]
    fn numbers_are_short() {
        for (x, text) in
            [(0.0, "0"), (0.25, "0.25"), (-12.0, "-12"), (1e-5, "1e-5"), (150.0, "150")]
        {
            assert_eq!(short(x), text);
        }
        assert_eq!(thousands(1_234_567), "1\u{2009}234\u{2009}567");
    }

    #[test]
    fn averaging_keeps_the_mean() {
        let canvas: Vec<u8> = (0..27).map(|i| if i % 3 == 0 { 90 } else { 30 }).collect();
        assert_eq!(averaged_down(&canvas, 3), [90, 30, 30]);
    }
}
