//! Rows of one entity, held back so that many go into the file together: a chunk of the recording
//! costs about as much with one row as with a hundred.

use rerun::{
    EncodedImage, LineStrips3D, Points3D, RecordingStream, RecordingStreamResult, Scalars,
    SerializedComponentColumn, StateChange, TextLog, Transform3D,
};
use wire::geometry::Pose;

use super::moment::{self, Moment};

/// A kind of row: how many of them become columns.
pub trait Row: Sized {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>>;
}

pub struct Track<R> {
    path: String,
    moments: Vec<Moment>,
    rows: Vec<R>,
}

impl<R: Row> Track<R> {
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), moments: Vec::new(), rows: Vec::new() }
    }

    pub fn push(&mut self, at: Moment, row: R) {
        self.moments.push(at);
        self.rows.push(row);
    }

    pub fn write(&mut self, stream: &RecordingStream) -> RecordingStreamResult<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let times = moment::columns(&std::mem::take(&mut self.moments));
        let columns = R::columns(std::mem::take(&mut self.rows))?;
        stream.send_columns(self.path.as_str(), times, columns)
    }
}

/// Values of one plot, as many in every row.
pub struct Values(pub Vec<f64>);

impl Row for Values {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let lengths: Vec<_> = rows.iter().map(|row| row.0.len()).collect();
        let values = rows.into_iter().flat_map(|row| row.0);
        Ok(Scalars::new(values).columns(lengths)?.collect())
    }
}

/// A JPEG file.
pub struct Picture(pub Vec<u8>);

impl Row for Picture {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let pictures = rows.into_iter().map(|row| row.0);
        Ok(EncodedImage::update_fields()
            .with_many_blob(pictures)
            .columns_of_unit_batches()?
            .collect())
    }
}

/// A line through points (m, base frame).
pub struct Strip(pub Vec<[f32; 3]>);

impl Row for Strip {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let strips = rows.into_iter().map(|row| row.0);
        Ok(LineStrips3D::new(strips).columns_of_unit_batches()?.collect())
    }
}

/// Points (m, base frame).
pub struct Points(pub Vec<[f32; 3]>);

impl Row for Points {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let lengths: Vec<_> = rows.iter().map(|row| row.0.len()).collect();
        let points = rows.into_iter().flat_map(|row| row.0);
        Ok(Points3D::new(points).columns(lengths)?.collect())
    }
}

impl Row for Pose {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let translations = rows.iter().map(position);
        let quaternions = rows.iter().map(|pose| {
            let q = pose.rotation.coords.cast::<f32>();
            rerun::Quaternion::from_xyzw([q.x, q.y, q.z, q.w])
        });
        Ok(Transform3D::update_fields()
            .with_many_translation(translations)
            .with_many_quaternion(quaternions)
            .columns_of_unit_batches()?
            .collect())
    }
}

pub fn position(pose: &Pose) -> [f32; 3] {
    pose.translation.vector.cast::<f32>().into()
}

/// The beginning of a span; an empty one ends the span before.
pub struct State(pub String);

impl Row for State {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let states = rows.into_iter().map(|row| row.0);
        Ok(StateChange::new().with_state(states).columns_of_unit_batches()?.collect())
    }
}

/// A line of the log, with its level.
pub struct Note(pub String, pub &'static str);

impl Row for Note {
    fn columns(rows: Vec<Self>) -> RecordingStreamResult<Vec<SerializedComponentColumn>> {
        let (texts, levels): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.0, row.1)).unzip();
        Ok(TextLog::update_fields()
            .with_many_text(texts)
            .with_many_level(levels)
            .columns_of_unit_batches()?
            .collect())
    }
}
