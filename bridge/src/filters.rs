//! DataFusion expressions over one table as the byte form of `src/plan/expr_format.h`.
//!
//! What has no place in that form becomes an opaque part, which is never lost: C++ answers "not
//! understood" and DataFusion evaluates it above the scan. Nothing here changes what an expression
//! means.

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use crate::bytes::Writer;
use crate::computed::Columns;
use crate::same;
use crate::types::format_of;
use crate::value::write_value;

const COLUMN: u8 = 0;
const LITERAL: u8 = 1;
const PARAMETER: u8 = 2;
const COMPARE: u8 = 3;
const AND: u8 = 4;
const OR: u8 = 5;
const NOT: u8 = 6;
const IS_NULL: u8 = 7;
const IN_LIST: u8 = 8;
const LIKE: u8 = 9;
pub const OPAQUE: u8 = 10;

/// C++ reads expressions up to a depth of 1000 nodes.
const DEPTH_MAX: u32 = 500;

/// The bytes of a condition, and whether all of it found a place.
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub whole: bool,
}

/// Encodes a condition over the columns of `table`.
pub fn encode_condition(expr: &Expr, table: Columns) -> Encoded {
    let mut encoder = Encoder {
        table,
        out: Writer::default(),
        opaque: false,
    };
    encoder.condition(expr, 0);
    Encoded {
        bytes: encoder.out.out,
        whole: !encoder.opaque,
    }
}

/// The condition that a column is NULL.
pub fn is_null(column: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.u8(IS_NULL);
    out.u8(COLUMN);
    out.u32(column);
    out.out
}

/// Encodes a literal or a parameter, as LIMIT has it; None for anything else.
pub fn encode_constant(expr: &Expr) -> Option<Vec<u8>> {
    let table = Schema::empty();
    let mut encoder = Encoder {
        table: Columns::of(&table),
        out: Writer::default(),
        opaque: false,
    };
    match expr {
        Expr::Literal(..) | Expr::Placeholder(_) => encoder.operand(expr),
        Expr::Cast(c) if matches!(c.expr.as_ref(), Expr::Placeholder(_)) => {
            encoder.operand(&c.expr)
        }
        _ => return None,
    }
    (!encoder.opaque).then_some(encoder.out.out)
}

struct Encoder<'a> {
    table: Columns<'a>,
    out: Writer,
    opaque: bool,
}

impl Encoder<'_> {
    fn condition(&mut self, expr: &Expr, depth: u32) {
        if depth > DEPTH_MAX {
            return self.opaque(expr);
        }
        let expr = same::what(expr);
        let Some(column) = self.table.find(expr) else {
            return self.parts(expr, depth);
        };
        // Of a condition that a hidden column holds, its parts say more to indexes.
        if !matches!(expr, Expr::Column(_)) {
            let (start, opaque) = (self.out.out.len(), std::mem::take(&mut self.opaque));
            self.parts(expr, depth);
            let understood = !std::mem::replace(&mut self.opaque, opaque);
            if understood {
                return;
            }
            self.out.out.truncate(start);
        }
        // A boolean column by itself is what it is when it equals true.
        self.out.u8(COMPARE);
        self.out.u8(0);
        self.column(column);
        self.literal(&ScalarValue::Boolean(Some(true)));
    }

    fn parts(&mut self, expr: &Expr, depth: u32) {
        match expr {
            Expr::BinaryExpr(b) => self.binary(expr, b, depth),
            Expr::Not(inner) => {
                self.out.u8(NOT);
                self.condition(inner, depth + 1);
            }
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => self.is_null(expr, inner, false),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => self.is_null(expr, inner, true),
            Expr::InList(list) => self.in_list(expr, list),
            Expr::Between(between) => self.between(expr, between),
            Expr::Like(like) => self.like(expr, like),
            Expr::Alias(alias) => self.condition(&alias.expr, depth),
            Expr::Literal(value @ ScalarValue::Boolean(_), _) => {
                self.literal(value);
            }
            other => self.opaque(other),
        }
    }

    fn binary(&mut self, expr: &Expr, b: &BinaryExpr, depth: u32) {
        let op = match b.op {
            Operator::And | Operator::Or => return self.connect(expr, b.op, depth),
            Operator::Eq => 0,
            Operator::NotEq => 1,
            Operator::Lt => 2,
            Operator::LtEq => 3,
            Operator::Gt => 4,
            Operator::GtEq => 5,
            Operator::LikeMatch
            | Operator::NotLikeMatch
            | Operator::ILikeMatch
            | Operator::NotILikeMatch => {
                return self.like_operator(expr, b);
            }
            _ => return self.opaque(expr),
        };
        if !self.is_operand(&b.left) || !self.is_operand(&b.right) {
            return self.opaque(expr);
        }
        self.out.u8(COMPARE);
        self.out.u8(op);
        self.operand(&b.left);
        self.operand(&b.right);
    }

    // a AND b AND c arrives as a tree that leans left; it crosses as one list.
    fn connect(&mut self, expr: &Expr, op: Operator, depth: u32) {
        let mut parts = Vec::new();
        let mut waiting = vec![expr];
        while let Some(e) = waiting.pop() {
            match e {
                Expr::BinaryExpr(b) if b.op == op => {
                    waiting.push(&b.right);
                    waiting.push(&b.left);
                }
                other => parts.push(other),
            }
        }
        self.out.u8(if op == Operator::And { AND } else { OR });
        self.out.u32(parts.len() as u32);
        for part in parts {
            self.condition(part, depth + 1);
        }
    }

    fn is_null(&mut self, expr: &Expr, inner: &Expr, negated: bool) {
        if !self.is_operand(inner) {
            return self.opaque(expr);
        }
        if negated {
            self.out.u8(NOT);
        }
        self.out.u8(IS_NULL);
        self.operand(inner);
    }

    fn in_list(&mut self, expr: &Expr, list: &InList) {
        if !self.is_operand(&list.expr) || !list.list.iter().all(|e| self.is_operand(e)) {
            return self.opaque(expr);
        }
        self.out.u8(IN_LIST);
        self.out.bool(list.negated);
        self.operand(&list.expr);
        self.out.u32(list.list.len() as u32);
        for item in &list.list {
            self.operand(item);
        }
    }

    fn between(&mut self, expr: &Expr, b: &Between) {
        if ![&b.expr, &b.low, &b.high]
            .iter()
            .all(|e| self.is_operand(e))
        {
            return self.opaque(expr);
        }
        if b.negated {
            self.out.u8(NOT);
        }
        self.out.u8(AND);
        self.out.u32(2);
        for (op, bound) in [(5, &b.low), (3, &b.high)] {
            self.out.u8(COMPARE);
            self.out.u8(op);
            self.operand(&b.expr);
            self.operand(bound);
        }
    }

    fn like(&mut self, expr: &Expr, like: &Like) {
        let escape_known = matches!(like.escape_char, None | Some('\\'));
        if !escape_known || !self.is_operand(&like.expr) || !self.is_operand(&like.pattern) {
            return self.opaque(expr);
        }
        self.out.u8(LIKE);
        self.out.bool(like.negated);
        self.out.bool(like.case_insensitive);
        self.operand(&like.expr);
        self.operand(&like.pattern);
    }

    fn like_operator(&mut self, expr: &Expr, b: &BinaryExpr) {
        if !self.is_operand(&b.left) || !self.is_operand(&b.right) {
            return self.opaque(expr);
        }
        self.out.u8(LIKE);
        self.out.bool(matches!(
            b.op,
            Operator::NotLikeMatch | Operator::NotILikeMatch
        ));
        self.out.bool(matches!(
            b.op,
            Operator::ILikeMatch | Operator::NotILikeMatch
        ));
        self.operand(&b.left);
        self.operand(&b.right);
    }

    /// True for a column of the table, a literal that can cross, or a parameter.
    fn is_operand(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Literal(value, _) => write_value(&mut Writer::default(), value),
            Expr::Placeholder(p) => parameter_index(&p.id).is_some(),
            Expr::Alias(alias) => self.is_operand(&alias.expr),
            other => self.table.find(other).is_some(),
        }
    }

    fn operand(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(value, _) => self.literal(value),
            Expr::Placeholder(p) => {
                self.out.u8(PARAMETER);
                self.out.u32(parameter_index(&p.id).unwrap_or(0));
                let format = p
                    .field
                    .as_ref()
                    .and_then(|f| format_of(f.data_type()))
                    .unwrap_or_default();
                self.out.str(&format);
            }
            Expr::Alias(alias) => self.operand(&alias.expr),
            other => match self.table.find(other) {
                Some(column) => self.column(column),
                None => self.opaque(other),
            },
        }
    }

    fn column(&mut self, column: u32) {
        self.out.u8(COLUMN);
        self.out.u32(column);
    }

    fn literal(&mut self, value: &ScalarValue) {
        let start = self.out.out.len();
        self.out.u8(LITERAL);
        if !write_value(&mut self.out, value) {
            self.out.out.truncate(start);
            self.out.u8(OPAQUE);
            self.out.str(&value.to_string());
            self.opaque = true;
        }
    }

    fn opaque(&mut self, expr: &Expr) {
        self.opaque = true;
        self.out.u8(OPAQUE);
        self.out.str(&expr.human_display().to_string());
    }
}

/// 0 for $1; None for a parameter with a name.
pub fn parameter_index(id: &str) -> Option<u32> {
    let number: u32 = id.strip_prefix('$')?.parse().ok()?;
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field};
    use datafusion::prelude::{col, lit};

    fn table() -> Schema {
        Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8View, true),
            Field::new("ok", DataType::Boolean, true),
        ])
    }

    #[test]
    fn a_comparison_is_the_example_of_expr_format_h() {
        let encoded = encode_condition(&col("id").gt_eq(lit(3i64)), Columns::of(&table()));
        let mut expected = vec![3, 5, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, b'l', 0];
        expected.extend_from_slice(&3u64.to_le_bytes());
        assert_eq!(encoded.bytes, expected);
        assert!(encoded.whole);
    }

    #[test]
    fn what_has_no_place_is_opaque_and_said_to_be() {
        let sum = (col("id") + lit(1i64)).eq(lit(2i64));
        assert!(!encode_condition(&sum, Columns::of(&table())).whole);
        let mixed = col("id").eq(lit(1i64)).and(sum);
        let encoded = encode_condition(&mixed, Columns::of(&table()));
        assert!(!encoded.whole);
        assert_eq!(encoded.bytes[0], AND);
        assert!(encode_condition(&col("ok"), Columns::of(&table())).whole);
        assert!(encode_condition(&col("name").like(lit("A%")), Columns::of(&table())).whole);
    }
}
