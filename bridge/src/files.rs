//! Rows that are not a query's: Parquet files, and streams whose columns are converted to a
//! table's.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::ffi_stream::ArrowArrayStreamReader;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

use crate::bytes::Reader;
use crate::catalog::{CppStream, Run};
use crate::convert::{assign, can_assign};
use crate::cursor::Cursor;
use crate::dml::nullable;
use crate::engine::Engine;
use crate::error::{BridgeError, Res, from_io};
use crate::suggest;
use crate::types::sql_name;

/// The rows of `reader`, converted column by column to the types of `target`.
pub fn cast_stream(
    engine: Arc<Engine>,
    reader: ArrowArrayStreamReader,
    target: SchemaRef,
    run: Arc<Run>,
) -> Res<Cursor> {
    let from = reader.schema();
    if from.fields().len() != target.fields().len() {
        return Err(BridgeError::new(
            "42601",
            format!(
                "the rows have {} columns where the table has {}",
                from.fields().len(),
                target.fields().len()
            ),
        ));
    }
    for (source, field) in from.fields().iter().zip(target.fields()) {
        if source.data_type() != field.data_type()
            && !can_assign(source.data_type(), field.data_type())
        {
            return Err(BridgeError::new(
                "42804",
                format!(
                    "column \"{}\" is of type {}, but the values are of type {}",
                    field.name(),
                    sql_name(field.data_type()),
                    sql_name(source.data_type())
                ),
            ));
        }
    }
    let target = Arc::new(nullable(&target));
    let schema = target.clone();
    let batches = reader.map(move |batch| {
        batch
            .map_err(Box::<BridgeError>::from)
            .and_then(|batch| cast_batch(&batch, &target))
    });
    Ok(Cursor::over_rows(engine, schema, batches, run))
}

fn cast_batch(batch: &RecordBatch, target: &SchemaRef) -> Res<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(target.fields())
        .map(|(column, field)| {
            assign(column, field.data_type()).map_err(|e| {
                let kind = sql_name(field.data_type());
                e.detail(format!("column \"{}\" is of type {kind}", field.name()))
            })
        })
        .collect::<Res<Vec<ArrayRef>>>()?;
    RecordBatch::try_new(target.clone(), columns).map_err(Box::<BridgeError>::from)
}

pub fn read_parquet(engine: Arc<Engine>, path: &str, run: Arc<Run>) -> Res<Cursor> {
    let file = File::open(path).map_err(|e| at_path(&e, path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| {
        BridgeError::new("22000", format!("{path} is not a Parquet file"))
            .detail(Box::<BridgeError>::from(e).message)
    })?;
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(8192).build()?;
    let batches = reader.map(|b| b.map_err(Box::<BridgeError>::from));
    Ok(Cursor::over_rows(engine, schema, batches, run))
}

fn at_path(error: &std::io::Error, path: &str) -> Box<BridgeError> {
    let mut e = from_io(error);
    e.message = format!("cannot open {path}: {}", e.message);
    e
}

/// Writes all batches; the file appears under its name only when it is complete.
pub fn write_parquet(
    mut rows: CppStream,
    schema: SchemaRef,
    path: &str,
    options: &[u8],
) -> Res<u64> {
    let properties = properties(options)?;
    let temporary = PathBuf::from(format!("{path}.writing"));
    let written = write_file(&mut rows, schema, &temporary, properties).and_then(|count| {
        std::fs::rename(&temporary, path).map_err(|e| at_path(&e, path))?;
        Ok(count)
    });
    if written.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn write_file(
    rows: &mut CppStream,
    schema: SchemaRef,
    path: &Path,
    properties: WriterProperties,
) -> Res<u64> {
    let file = File::create(path).map_err(|e| at_path(&e, &path.to_string_lossy()))?;
    let mut writer = ArrowWriter::try_new(&file, schema, Some(properties))?;
    let mut count = 0;
    while let Some(batch) = rows.next()? {
        writer.write(&batch)?;
        count += batch.num_rows() as u64;
    }
    writer.close()?;
    file.sync_all().map_err(|e| from_io(&e))?;
    Ok(count)
}

fn properties(options: &[u8]) -> Res<WriterProperties> {
    let mut reader = Reader::new(options);
    let options = reader.list(|r| Ok((r.str()?.to_string(), r.str()?.to_string())))?;
    let mut builder =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    for (name, value) in options {
        let invalid = || {
            BridgeError::new(
                "22023",
                format!(
                    "invalid value for option {}: \"{value}\"",
                    name.to_uppercase()
                ),
            )
        };
        builder = match name.as_str() {
            "format" if value.eq_ignore_ascii_case("parquet") => builder,
            "format" => return Err(invalid()),
            "compression" => builder.set_compression(match value.to_lowercase().as_str() {
                "zstd" => Compression::ZSTD(ZstdLevel::default()),
                "snappy" => Compression::SNAPPY,
                "lz4" => Compression::LZ4_RAW,
                "none" | "uncompressed" => Compression::UNCOMPRESSED,
                _ => return Err(invalid().hint("zstd, snappy, lz4 or none")),
            }),
            "row_group_size" => match value.parse::<usize>() {
                Ok(rows) if rows > 0 => builder.set_max_row_group_row_count(Some(rows)),
                _ => return Err(invalid()),
            },
            other => {
                return Err(BridgeError::new(
                    "42601",
                    format!("COPY to Parquet has no option {}", other.to_uppercase()),
                )
                .hint(suggest::hint(
                    other,
                    ["format", "compression", "row_group_size"],
                )));
            }
        };
    }
    Ok(builder.build())
}
