//! information_schema.tables, .columns and .schemata, read through the catalog of the run.
//!
//! The rows are made when the table is scanned, so they show what the statement's transaction sees.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::Run;
use crate::error::{BridgeError, Res};
use crate::provider::RunSlot;
use crate::types::sql_name;

pub const CATALOG: &str = "trefoil";
pub const SCHEMA: &str = "public";
pub const INFORMATION_SCHEMA: &str = "information_schema";
pub const TABLES: [&str; 3] = ["tables", "columns", "schemata"];

#[derive(Debug)]
pub struct InfoTable {
    name: String,
    schema: SchemaRef,
}

impl InfoTable {
    pub fn find(name: &str) -> Option<InfoTable> {
        let text = |name: &str| Field::new(name, DataType::Utf8View, true);
        let int = |name: &str| Field::new(name, DataType::Int32, true);
        let fields = match name {
            "schemata" => vec![text("catalog_name"), text("schema_name")],
            "tables" => vec![
                text("table_catalog"),
                text("table_schema"),
                text("table_name"),
                text("table_type"),
            ],
            "columns" => vec![
                text("table_catalog"),
                text("table_schema"),
                text("table_name"),
                text("column_name"),
                int("ordinal_position"),
                text("column_default"),
                text("is_nullable"),
                text("data_type"),
                int("numeric_precision"),
                int("numeric_scale"),
            ],
            _ => return None,
        };
        Some(InfoTable {
            name: name.to_string(),
            schema: Arc::new(Schema::new(fields)),
        })
    }

    fn rows(&self, run: &Arc<Run>) -> Res<RecordBatch> {
        let columns = match self.name.as_str() {
            "schemata" => schemata(),
            "tables" => tables(run)?,
            _ => columns(run)?,
        };
        RecordBatch::try_new(self.schema.clone(), columns).map_err(Box::<BridgeError>::from)
    }
}

fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(values))
}

fn same(value: &str, n: usize) -> ArrayRef {
    texts(vec![Some(value.to_string()); n])
}

fn schemata() -> Vec<ArrayRef> {
    let names = [SCHEMA, INFORMATION_SCHEMA].map(|s| Some(s.to_string()));
    vec![same(CATALOG, names.len()), texts(names.to_vec())]
}

fn tables(run: &Arc<Run>) -> Res<Vec<ArrayRef>> {
    let own = run.table_names()?;
    let mut schemas = vec![Some(SCHEMA.to_string()); own.len()];
    let mut names: Vec<Option<String>> = own.into_iter().map(Some).collect();
    let mut kinds = vec![Some("BASE TABLE".to_string()); names.len()];
    for table in TABLES {
        schemas.push(Some(INFORMATION_SCHEMA.to_string()));
        names.push(Some(table.to_string()));
        kinds.push(Some("VIEW".to_string()));
    }
    let catalogs = same(CATALOG, names.len());
    Ok(vec![catalogs, texts(schemas), texts(names), texts(kinds)])
}

fn columns(run: &Arc<Run>) -> Res<Vec<ArrayRef>> {
    let (mut table_of, mut name_of, mut nullable, mut kinds) = (vec![], vec![], vec![], vec![]);
    let (mut positions, mut defaults) = (vec![], vec![]);
    let (mut precisions, mut scales) = (vec![], vec![]);
    for table_name in run.table_names()? {
        let Some(table) = run.find(&table_name, false)? else {
            continue;
        };
        for (i, field) in table.schema.fields().iter().enumerate() {
            table_of.push(Some(table_name.clone()));
            name_of.push(Some(field.name().clone()));
            positions.push(Some(i as i32 + 1));
            defaults.push(table.column_default(i as u32)?);
            nullable.push(Some(
                if field.is_nullable() { "YES" } else { "NO" }.to_string(),
            ));
            kinds.push(Some(sql_name(field.data_type())));
            let (precision, scale) = numeric(field.data_type());
            precisions.push(precision);
            scales.push(scale);
        }
    }
    let n = table_of.len();
    Ok(vec![
        same(CATALOG, n),
        same(SCHEMA, n),
        texts(table_of),
        texts(name_of),
        Arc::new(Int32Array::from(positions)),
        texts(defaults),
        texts(nullable),
        texts(kinds),
        Arc::new(Int32Array::from(precisions)),
        Arc::new(Int32Array::from(scales)),
    ])
}

fn numeric(data_type: &DataType) -> (Option<i32>, Option<i32>) {
    match data_type {
        DataType::Decimal128(p, s) => (Some(*p as i32), Some(*s as i32)),
        DataType::Int16 => (Some(16), Some(0)),
        DataType::Int32 => (Some(32), Some(0)),
        DataType::Int64 => (Some(64), Some(0)),
        DataType::Float32 => (Some(24), None),
        DataType::Float64 => (Some(53), None),
        _ => (None, None),
    }
}

#[async_trait]
impl TableProvider for InfoTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
    fn table_type(&self) -> TableType {
        TableType::View
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let run = state
            .config()
            .get_extension::<RunSlot>()
            .and_then(|slot| slot.get())
            .ok_or_else(|| BridgeError::internal("a table is scanned outside of a run"))?;
        let rows = self.rows(&run)?;
        let table = MemTable::try_new(self.schema.clone(), vec![vec![rows]])?;
        table.scan(state, projection, filters, limit).await
    }
}
