//! Recognises a plan that needs no algebra: one table, conditions, columns, limit.
//!
//!     [Limit] [Sort by plain columns] [Projection of plain columns] [Filter] [SubqueryAlias]
//!     TableScan
//!
//! in any sensible nesting, with every condition expressible. Such a statement is run by C++ alone;
//! what is written here ("access" in `src/engine/bridge.h`) is all that it needs.

use datafusion::common::Column;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan, TableScan, lit};

use crate::bytes::Writer;
use crate::canonical;
use crate::filters::{encode_condition, encode_constant};
use crate::provider::Provider;

/// The bytes of the access query; None if there is algebra in the plan.
pub fn describe(plan: &LogicalPlan) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let scan = parts.peel(plan)?;
    let source = source_as_provider(&scan.source).ok()?;
    let provider = source.downcast_ref::<Provider>()?;
    if provider.row_ids {
        return None;
    }
    let table = scan.source.schema();
    let mut w = Writer::default();
    w.str(&provider.name);
    let output = match &parts.columns {
        Some(columns) => columns.clone(),
        None => scan
            .projected_schema
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect(),
    };
    let projection = output
        .iter()
        .map(|name| table.index_of(name).ok().map(|i| i as u32))
        .collect::<Option<Vec<u32>>>()?;
    w.list(&projection, |w, i| w.u32(*i));
    let mut filters: Vec<Vec<u8>> = Vec::new();
    for filter in parts
        .filters
        .into_iter()
        .flat_map(split_conjunction)
        .chain(&scan.filters)
    {
        let encoded = encode_condition(filter, provider.columns());
        if !encoded.whole {
            return None;
        }
        // A filter that the scan applies inexactly stands above it too.
        if !filters.contains(&encoded.bytes) {
            filters.push(encoded.bytes);
        }
    }
    w.list(&filters, |w, bytes| w.out.extend_from_slice(bytes));
    for bound in [parts.limit, parts.offset] {
        w.opt(&bound, |w, bytes| w.out.extend_from_slice(bytes));
    }
    w.u32(parts.order.len() as u32);
    for key in &parts.order {
        w.u32(table.index_of(&key.column).ok()? as u32);
        w.u8(key.descending as u8 + 2 * key.nulls_first as u8);
    }
    Some(w.out)
}

#[derive(Default)]
struct Parts<'a> {
    filters: Vec<&'a Expr>,
    columns: Option<Vec<String>>,
    limit: Option<Vec<u8>>,
    offset: Option<Vec<u8>>,
    limited: bool,
    order: Vec<SortKey>,
}

struct SortKey {
    column: String,
    descending: bool,
    nulls_first: bool,
}

impl<'a> Parts<'a> {
    fn peel(&mut self, plan: &'a LogicalPlan) -> Option<&'a TableScan> {
        match plan {
            LogicalPlan::Limit(limit) => {
                // A limit below a filter or another limit is not the limit of the whole.
                if self.limited || !self.filters.is_empty() || !self.order.is_empty() {
                    return None;
                }
                self.limited = true;
                self.read_limit(limit)?;
                self.peel(&limit.input)
            }
            LogicalPlan::Sort(sort) => {
                if !self.order.is_empty() || !self.filters.is_empty() {
                    return None;
                }
                for key in &sort.expr {
                    self.order.push(SortKey {
                        column: plain_column(canonical::inner(&key.expr))?.name.clone(),
                        descending: !key.asc,
                        nulls_first: key.nulls_first,
                    });
                }
                if let (Some(fetch), false) = (sort.fetch, self.limited) {
                    self.limited = true;
                    self.limit = Some(encode_constant(&lit(fetch as i64))?);
                }
                self.peel(&sort.input)
            }
            LogicalPlan::Projection(projection) => {
                let below: Vec<String> = projection
                    .expr
                    .iter()
                    .map(|e| plain_column(e).map(|c| c.name.clone()))
                    .collect::<Option<_>>()?;
                if !self.filters.is_empty() {
                    return None;
                }
                // An outer projection names the columns of this one.
                self.columns = Some(match self.columns.take() {
                    None => below,
                    Some(outer) => {
                        let fields = projection.schema.fields();
                        let place = |name: &String| fields.iter().position(|f| f.name() == name);
                        outer
                            .iter()
                            .map(|name| place(name).map(|i| below[i].clone()))
                            .collect::<Option<_>>()?
                    }
                });
                let fields = projection.schema.fields();
                for key in &mut self.order {
                    let place = fields.iter().position(|f| *f.name() == key.column)?;
                    key.column = plain_column(&projection.expr[place])?.name.clone();
                }
                self.peel(&projection.input)
            }
            LogicalPlan::Filter(filter) => {
                self.filters.push(&filter.predicate);
                self.peel(&filter.input)
            }
            LogicalPlan::SubqueryAlias(alias) => self.peel(&alias.input),
            LogicalPlan::TableScan(scan) => {
                if scan.fetch.is_some() && (!self.limited || !self.order.is_empty()) {
                    return None;
                }
                Some(scan)
            }
            _ => None,
        }
    }

    fn read_limit(&mut self, limit: &Limit) -> Option<()> {
        if let Some(fetch) = &limit.fetch {
            self.limit = Some(encode_constant(fetch)?);
        }
        if let Some(skip) = &limit.skip {
            self.offset = Some(encode_constant(skip)?);
        }
        Some(())
    }
}

fn plain_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => plain_column(&alias.expr),
        _ => None,
    }
}
