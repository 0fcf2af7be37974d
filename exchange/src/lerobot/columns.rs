//! Arrow columns of rows, and rows out of Arrow columns.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array,
    Int64Array, ListArray, StringArray, StructArray, UInt64Array,
    cast::AsArray,
    types::{Float32Type, Int64Type},
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Fields};

/// The name that pyarrow and `datasets` give to what is in a list.
const ELEMENT: &str = "element";

fn element(kind: DataType) -> Arc<Field> {
    Arc::new(Field::new(ELEMENT, kind, true))
}

/// One value a row for a width of 1, as the format has it, otherwise a list of fixed length.
pub(super) fn floats(values: Vec<f32>, width: usize) -> ArrayRef {
    let flat = Arc::new(Float32Array::from(values)) as ArrayRef;
    if width == 1 {
        return flat;
    }
    Arc::new(FixedSizeListArray::new(element(DataType::Float32), width as i32, flat, None))
}

pub(super) fn whole(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

pub(super) fn doubles(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

pub(super) fn unsigned(values: Vec<u64>) -> ArrayRef {
    Arc::new(UInt64Array::from(values))
}

pub(super) fn flags(values: Vec<bool>) -> ArrayRef {
    Arc::new(BooleanArray::from(values))
}

pub(super) fn texts(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

pub(super) fn binaries(values: &[Vec<u8>]) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(values))
}

fn image_fields() -> Fields {
    let field = |name, kind| Field::new(name, kind, true);
    Fields::from(vec![field("bytes", DataType::Binary), field("path", DataType::Utf8)])
}

/// PNG files as `datasets` keeps pictures.
pub(super) fn images(files: &[Vec<u8>]) -> ArrayRef {
    let paths: Vec<String> = (0..files.len()).map(|i| format!("frame-{i:06}.png")).collect();
    let paths = Arc::new(StringArray::from_iter_values(&paths)) as ArrayRef;
    Arc::new(StructArray::new(image_fields(), vec![binaries(files), paths], None))
}

/// A list of texts in each row.
pub(super) fn text_lists(rows: &[Vec<&str>]) -> ArrayRef {
    let texts: Vec<&str> = rows.iter().flatten().copied().collect();
    let flat = StringArray::from(texts);
    list(Arc::new(flat), rows.iter().map(Vec::len))
}

pub(super) fn whole_lists(rows: &[Vec<i64>]) -> ArrayRef {
    let flat = Int64Array::from_iter_values(rows.iter().flatten().copied());
    list(Arc::new(flat), rows.iter().map(Vec::len))
}

/// A list of numbers in each row; for pictures each number is in two lists of its own, which is the
/// shape [channels, 1, 1].
pub(super) fn number_lists(rows: &[&[f64]], of_pictures: bool) -> ArrayRef {
    let flat = Float64Array::from_iter_values(rows.iter().flat_map(|row| row.iter().copied()));
    let mut inner = Arc::new(flat) as ArrayRef;
    if of_pictures {
        let count = inner.len();
        inner = list(inner, std::iter::repeat_n(1, count));
        inner = list(inner, std::iter::repeat_n(1, count));
    }
    list(inner, rows.iter().map(|row| row.len()))
}

fn list(values: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> ArrayRef {
    let kind = values.data_type().clone();
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(element(kind), offsets, values, None))
}

// The other way. Each says in words what is wrong with a column.

fn without_nulls(column: &dyn Array) -> Result<(), String> {
    match column.null_count() {
        0 => Ok(()),
        nulls => Err(format!("{nulls} values are missing")),
    }
}

fn as_kind(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, String> {
    without_nulls(column)?;
    let cast = cast(column, kind).map_err(|e| e.to_string())?;
    without_nulls(&cast).map_err(|what| format!("{what} or out of range"))?;
    Ok(cast)
}

/// The numbers of each row, `width` of them.
pub(super) fn to_vectors(column: &ArrayRef, width: usize) -> Result<Vec<Vec<f32>>, String> {
    let rows: Vec<ArrayRef> = match column.data_type() {
        DataType::FixedSizeList(..) => {
            without_nulls(column)?;
            column.as_fixed_size_list().iter().flatten().collect()
        }
        DataType::List(_) => {
            without_nulls(column)?;
            column.as_list::<i32>().iter().flatten().collect()
        }
        DataType::LargeList(_) => {
            without_nulls(column)?;
            column.as_list::<i64>().iter().flatten().collect()
        }
        _ => (0..column.len()).map(|row| column.slice(row, 1)).collect(),
    };
    let one = |row: ArrayRef| {
        if row.len() != width {
            return Err(format!("a row has {} values, the task wants {width}", row.len()));
        }
        let numbers = as_kind(&row, &DataType::Float32)?;
        Ok(numbers.as_primitive::<Float32Type>().values().to_vec())
    };
    rows.into_iter().map(one).collect()
}

pub(super) fn to_floats(column: &ArrayRef) -> Result<Vec<f32>, String> {
    Ok(to_vectors(column, 1)?.into_iter().flatten().collect())
}

pub(super) fn to_whole(column: &ArrayRef) -> Result<Vec<i64>, String> {
    let numbers = as_kind(column, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().values().to_vec())
}

pub(super) fn to_flags(column: &ArrayRef) -> Result<Vec<bool>, String> {
    let flags = as_kind(column, &DataType::Boolean)?;
    Ok(flags.as_boolean().values().iter().collect())
}

/// The PNG file of each row.
pub(super) fn to_images(column: &ArrayRef) -> Result<BinaryArray, String> {
    let column = column.as_struct_opt().ok_or("it holds no pictures")?;
    let bytes = column.column_by_name("bytes").ok_or("its pictures have no bytes")?;
    to_binaries(bytes).map_err(|what| {
        format!("{what}: pictures in files of their own are not read, embed them in the data")
    })
}

pub(super) fn to_binaries(column: &ArrayRef) -> Result<BinaryArray, String> {
    Ok(as_kind(column, &DataType::Binary)?.as_binary::<i32>().clone())
}

pub(super) fn to_texts(column: &ArrayRef) -> Result<Vec<Option<String>>, String> {
    let texts = cast(column, &DataType::Utf8).map_err(|e| e.to_string())?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}
