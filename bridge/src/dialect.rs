//! What PostgreSQL has and DataFusion has under another form, rewritten before it is planned.
//!
//!     a op ALL|ANY (query)            EXISTS over the query, as a condition sees it
//!     (a, b) = (c, d), <, IN          column by column, with NULLs as SQL wants them
//!     x SIMILAR TO 'pattern'          x ~ '^(?:regular expression)$'
//!     x LIKE 'a#%' ESCAPE '#'         x LIKE 'a\%'
//!     to_char(x, 'YYYY-MM-DD') ...    DataFusion's, which wants '%Y-%m-%d'
//!     extract(second FROM x)          with its fraction
//!     CAST(x AS VARCHAR(3))           cut off after three characters
//!     x AT TIME ZONE 'Europe/Berlin'  timezone('Europe/Berlin', x)
//!     x op ANY|ALL ('{1,2}')          x IN ('1', '2'), or comparisons under OR and AND
//!     'name'::regclass, age(x)        calls of functions of ours
//!     mod(a, b), every(x), ...        functions by the names that DataFusion has for them
//!
//! A new expression is written as text and parsed, which is shorter than building it, and as easy
//! to read. Patterns that are no literals are refused.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Interval, ObjectNamePart, UnaryOperator, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{BridgeError, Res};
use crate::interval;
use crate::text::{DIALECT, check_operators};
use crate::timezone;
use crate::types::char_length;

/// Rewrites this node; the walk goes on inside what it became.
pub fn rewrite(expr: &mut Expr) -> Res<()> {
    let new = match expr {
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        } => any_of(left, compare_op, right)?,
        Expr::AllOp {
            left,
            compare_op,
            right,
        } => all_of(left, compare_op, right)?,
        Expr::BinaryOp { left, op, right } => match (left.as_ref(), right.as_ref()) {
            (Expr::Tuple(a), Expr::Tuple(b)) => compare_rows(a, op, b)?,
            _ => None,
        },
        Expr::InList {
            expr,
            list,
            negated,
        } => match expr.as_ref() {
            Expr::Tuple(row) => Some(row_in_list(row, list, *negated)?),
            _ => None,
        },
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => match expr.as_ref() {
            Expr::Tuple(row) => Some(row_in_query(row, &subquery.to_string(), *negated)),
            _ => None,
        },
        Expr::SimilarTo { .. } => similar(expr)?,
        Expr::Like { .. } | Expr::ILike { .. } => return like(expr),
        Expr::Extract {
            field: DateTimeField::Second | DateTimeField::Seconds,
            expr,
            ..
        } => Some(format!(
            "(CAST(EXTRACT(MICROSECOND FROM {expr}) AS DECIMAL(18, 0)) / 1000000)"
        )),
        Expr::Cast {
            expr, data_type, ..
        } => match char_length(data_type)? {
            _ if is_regclass(data_type) => Some(format!("\"regclass\"({expr})")),
            Some(n) => Some(format!("left(CAST({expr} AS TEXT), {n})")),
            None => None,
        },
        Expr::Interval(interval) => {
            spell_out(interval);
            None
        }
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => Some(format!("\"{}\"({time_zone}, {timestamp})", timezone::NAME)),
        Expr::Function(function) => call(function)?,
        Expr::Identifier(word) if word.quote_style.is_none() => without_parentheses(&word.value),
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr,
        } => Some(format!("-1 - ({expr})")),
        _ => None,
    };
    if let Some(new) = new {
        *expr = parsed(&new)?;
    }
    Ok(())
}

/// INTERVAL '1:30' as INTERVAL '1 hours 30 minutes'; not what has its unit behind it.
fn spell_out(interval: &mut Interval) {
    if interval.leading_field.is_none()
        && let Expr::Value(value) = interval.value.as_mut()
        && let Value::SingleQuotedString(text) = &mut value.value
        && let Some(spelled) = interval::with_units(text)
    {
        *text = spelled;
    }
}

fn similar(expr: &Expr) -> Res<Option<String>> {
    let Expr::SimilarTo {
        negated,
        expr,
        pattern,
        escape_char,
    } = expr
    else {
        return Ok(None);
    };
    let op = if *negated { "!~" } else { "~" };
    let pattern = literal(pattern, "SIMILAR TO with a pattern that is no literal")?;
    let pattern = similar_to(&pattern, escape_of(escape_char)?);
    Ok(Some(format!("({expr}) {op} {}", quoted(&pattern))))
}

/// The expression, in parentheses.
pub fn parsed(text: &str) -> Res<Expr> {
    let wrong = |e| BridgeError::internal(&format!("{e} in {text}"));
    let mut parser = Parser::new(&DIALECT).try_with_sql(text).map_err(wrong)?;
    Ok(Expr::Nested(Box::new(parser.parse_expr().map_err(wrong)?)))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn literal(expr: &Expr, otherwise: &str) -> Res<String> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(BridgeError::unsupported(otherwise)),
    }
}

// ---- subqueries and rows ----------------------------------------------------------------------

fn quantified(
    exists: &str,
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    test: &str,
) -> Option<String> {
    let Expr::Subquery(query) = right else {
        return None; // an array
    };
    Some(format!(
        "{exists} (SELECT 1 FROM ({query}) AS \"__set\"(\"__item\") \
         WHERE (({left}) {op} \"__item\"){test})"
    ))
}

/// The elements of an array that is written as a text, '{1,"a b",NULL}', as SQL; None if it is
/// anything else.
fn array_items(expr: &Expr) -> Res<Option<Vec<String>>> {
    let text = match expr {
        Expr::Nested(inner) => return array_items(inner),
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text),
            ..
        }) => text,
        _ => return Ok(None),
    };
    let wrong = || {
        BridgeError::new("22P02", format!("malformed array literal: \"{text}\""))
            .detail("Array value must start with \"{\", end with \"}\" and have one dimension.")
    };
    let inside = text
        .trim()
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'));
    let mut chars = inside.ok_or_else(wrong)?.chars();
    let mut items = Vec::new();
    if inside.is_some_and(|t| t.trim().is_empty()) {
        return Ok(Some(items));
    }
    loop {
        let (mut item, mut in_quotes, mut was_quoted, mut ended) =
            (String::new(), false, false, true);
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    if !was_quoted {
                        item.clear();
                    }
                    in_quotes = !in_quotes;
                    was_quoted = true;
                }
                c if was_quoted && !in_quotes && c.is_whitespace() => {}
                '\\' => item.push(chars.next().ok_or_else(wrong)?),
                ',' if !in_quotes => {
                    ended = false;
                    break;
                }
                '{' | '}' if !in_quotes => return Err(wrong()),
                c => item.push(c),
            }
        }
        if !was_quoted {
            item = item.trim().to_string();
        }
        if in_quotes || (item.is_empty() && !was_quoted) {
            return Err(wrong());
        }
        items.push(match !was_quoted && item.eq_ignore_ascii_case("null") {
            true => "NULL".to_string(),
            false => quoted(&item),
        });
        if ended {
            return Ok(Some(items));
        }
    }
}

fn any_of(left: &Expr, op: &BinaryOperator, right: &Expr) -> Res<Option<String>> {
    let Some(items) = array_items(right)? else {
        return Ok(quantified("EXISTS", left, op, right, ""));
    };
    Ok(Some(match op {
        _ if items.is_empty() => "FALSE".to_string(),
        BinaryOperator::Eq => format!("({left}) IN ({})", items.join(", ")),
        _ => each(left, op, &items, " OR ")?,
    }))
}

fn all_of(left: &Expr, op: &BinaryOperator, right: &Expr) -> Res<Option<String>> {
    let Some(items) = array_items(right)? else {
        return Ok(quantified("NOT EXISTS", left, op, right, " IS NOT TRUE"));
    };
    Ok(Some(match op {
        _ if items.is_empty() => "TRUE".to_string(),
        BinaryOperator::NotEq => format!("({left}) NOT IN ({})", items.join(", ")),
        _ => each(left, op, &items, " AND ")?,
    }))
}

fn each(left: &Expr, op: &BinaryOperator, items: &[String], word: &str) -> Res<String> {
    check_operators(items.len())?;
    let compared = items.iter().map(|item| format!("({left}) {op} {item}"));
    Ok(compared.collect::<Vec<_>>().join(word))
}

fn compare_rows(a: &[Expr], op: &BinaryOperator, b: &[Expr]) -> Res<Option<String>> {
    use BinaryOperator::*;
    if !matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
        return Ok(None);
    }
    same_width(a.len(), b.len())?;
    let equal = equal_rows(a, b);
    Ok(Some(match op {
        Eq => equal,
        NotEq => format!("NOT ({equal})"),
        _ => {
            let strict = if matches!(op, Lt | LtEq) { "<" } else { ">" };
            let (x, y) = (&a[a.len() - 1], &b[b.len() - 1]);
            let mut text = format!("({x}) {op} ({y})");
            for (x, y) in a.iter().zip(b).rev().skip(1) {
                text = format!("(({x}) {strict} ({y}) OR (({x}) = ({y}) AND {text}))");
            }
            text
        }
    }))
}

fn equal_rows(a: &[Expr], b: &[Expr]) -> String {
    let pairs = a.iter().zip(b).map(|(x, y)| format!("({x}) = ({y})"));
    pairs.collect::<Vec<_>>().join(" AND ")
}

fn same_width(a: usize, b: usize) -> Res<()> {
    if a == b {
        return Ok(());
    }
    Err(BridgeError::new(
        "42601",
        format!("unequal number of entries in row expressions: {a} and {b}"),
    ))
}

fn row_in_list(row: &[Expr], list: &[Expr], negated: bool) -> Res<String> {
    check_operators(list.len())?;
    let mut equal = Vec::new();
    for item in list {
        let Expr::Tuple(item) = item else {
            return Err(BridgeError::new("42601", "a row is compared with a value"));
        };
        same_width(row.len(), item.len())?;
        equal.push(format!("({})", equal_rows(row, item)));
    }
    let any = equal.join(" OR ");
    Ok(if negated { format!("NOT ({any})") } else { any })
}

fn row_in_query(row: &[Expr], query: &str, negated: bool) -> String {
    let names: Vec<String> = (0..row.len()).map(|i| format!("\"__item{i}\"")).collect();
    let pairs = row.iter().zip(&names).map(|(x, n)| format!("({x}) = {n}"));
    let equal = pairs.collect::<Vec<_>>().join(" AND ");
    let (exists, test) = match negated {
        true => ("NOT EXISTS", " IS NOT FALSE"),
        false => ("EXISTS", ""),
    };
    let names = names.join(", ");
    format!("{exists} (SELECT 1 FROM ({query}) AS \"__set\"({names}) WHERE ({equal}){test})")
}

// ---- patterns ---------------------------------------------------------------------------------

/// ESCAPE 'x'; None if it is '', which escapes nothing; a backslash if it is not there.
fn escape_of(clause: &Option<ValueWithSpan>) -> Res<Option<char>> {
    let Some(clause) = clause else {
        return Ok(Some('\\'));
    };
    let text = literal(&Expr::Value(clause.clone()), "ESCAPE with no literal")?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => Err(BridgeError::new(
            "22025",
            "the escape string must be one character, or none",
        )),
    }
}

/// LIKE with an ESCAPE of its own becomes one with backslashes.
fn like(expr: &mut Expr) -> Res<()> {
    let (Expr::Like {
        pattern,
        escape_char,
        ..
    }
    | Expr::ILike {
        pattern,
        escape_char,
        ..
    }) = expr
    else {
        return Ok(());
    };
    if escape_char.is_none() {
        return Ok(());
    }
    let escape = escape_of(escape_char)?;
    *escape_char = None;
    if escape == Some('\\') {
        return Ok(());
    }
    let text = literal(pattern, "LIKE with ESCAPE and a pattern that is no literal")?;
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let Some(next) = chars.next() else {
                return Err(BridgeError::new(
                    "22025",
                    "LIKE pattern must not end with the escape character",
                ));
            };
            out.push('\\');
            out.push(next);
        } else if c == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(c);
        }
    }
    **pattern = Expr::Value(Value::SingleQuotedString(out).into());
    Ok(())
}

/// The regular expression of a pattern of SIMILAR TO.
fn similar_to(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            if let Some(next) = chars.next() {
                push_literal(&mut out, next);
            }
            continue;
        }
        match c {
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        match c {
            _ if in_class || c == ']' => out.push(c),
            '%' => out.push_str("(?s:.*)"),
            '_' => out.push_str("(?s:.)"),
            '(' => out.push_str("(?:"),
            '|' | '*' | '+' | '?' | '{' | '}' | ')' => out.push(c),
            _ => push_literal(&mut out, c),
        }
    }
    out.push_str(")$");
    out
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

// ---- functions --------------------------------------------------------------------------------

/// The PostgreSQL whose rules we follow, as programs read it, and who we are.
const VERSION: &str = concat!("PostgreSQL 15.0 (Trefoil ", env!("CARGO_PKG_VERSION"), ")");

/// PostgreSQL's name, and DataFusion's.
const NAMES: [(&str, &str); 5] = [
    ("sign", "signum"),
    ("every", "bool_and"),
    ("variance", "var_samp"),
    ("array_remove", "array_remove_all"),
    ("current_catalog", "current_database"),
];

pub fn is_regclass(data_type: &DataType) -> bool {
    data_type.to_string().eq_ignore_ascii_case("regclass")
}

/// Functions that are called without parentheses, and that sqlparser does not know.
fn without_parentheses(word: &str) -> Option<String> {
    match word.to_lowercase().as_str() {
        "current_schema" => Some("\"current_schema\"()".to_string()),
        "current_role" => Some("'trefoil'".to_string()),
        _ => None,
    }
}

/// What the function becomes; None if it stays, perhaps under another name.
fn call(function: &mut Function) -> Res<Option<String>> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice() else {
        return Ok(None);
    };
    if name.quote_style.is_some() {
        return Ok(None);
    }
    let lower = name.value.to_lowercase();
    if let Some((_, ours)) = NAMES.iter().find(|(theirs, _)| *theirs == lower) {
        name.value = ours.to_string();
    }
    let args = plain_arguments(&function.args);
    Ok(match (lower.as_str(), args.as_slice()) {
        ("localtimestamp", []) => Some("CAST(now() AS TIMESTAMP)".to_string()),
        ("mod", [a, b]) => Some(format!("({a}) % ({b})")),
        ("current_database" | "current_catalog", []) => Some("'trefoil'".to_string()),
        ("current_user" | "session_user" | "user", []) => Some("'trefoil'".to_string()),
        ("version", []) => Some(quoted(VERSION)),
        ("age", [x]) => Some(format!("\"age\"(CAST(current_date() AS TIMESTAMP), {x})")),
        ("to_char" | "to_date" | "to_timestamp", [value, template]) => {
            let what = format!("{lower}() with a template that is no literal");
            let template = quoted(&time_format(&literal(template, &what)?, &lower)?);
            Some(match lower.as_str() {
                "to_char" => format!("\"to_char\"(CAST({value} AS TIMESTAMP), {template})"),
                "to_date" => format!("\"to_date\"({value}, {template})"),
                _ => format!("CAST(\"to_timestamp\"({value}, {template}) AS TIMESTAMPTZ)"),
            })
        }
        _ => None,
    })
}

fn plain_arguments(args: &FunctionArguments) -> Vec<&Expr> {
    let FunctionArguments::List(list) = args else {
        return Vec::new();
    };
    let plain = list.args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    plain.collect()
}

/// The parts of a template of to_char() and what they are in DataFusion's; the longest first.
const TIME_PARTS: [(&str, &str); 29] = [
    ("FMMONTH", ""),
    ("FMMonth", "%B"),
    ("FMDay", "%A"),
    ("FMDD", "%-d"),
    ("FMMM", "%-m"),
    ("FMHH24", "%-H"),
    ("FMHH12", "%-I"),
    ("MONTH", ""),
    ("Month", ""),
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("DDD", "%j"),
    ("Day", ""),
    ("Mon", "%b"),
    ("MON", ""),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("IW", "%V"),
    ("ID", "%u"),
    ("AM", "%p"),
    ("PM", "%p"),
];

fn time_format(template: &str, function: &str) -> Res<String> {
    let refuse = |what: &str| {
        BridgeError::unsupported(format!("\"{what}\" in the template of {function}()"))
            .hint("parts are YYYY YY MM Mon FMMonth DD DDD Dy FMDay HH24 HH12 MI SS MS US AM ID IW")
    };
    let mut out = String::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if let Some((part, format)) = TIME_PARTS.iter().find(|(p, _)| rest.starts_with(p)) {
            if format.is_empty() {
                return Err(refuse(part));
            }
            out.push_str(format);
            rest = &rest[part.len()..];
        } else if let Some(after) = rest.strip_prefix("Dy") {
            out.push_str("%a");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (text, after) = after.split_once('"').unwrap_or((after, ""));
            out.push_str(&text.replace('%', "%%"));
            rest = after;
        } else if c.is_ascii_alphanumeric() {
            return Err(refuse(&c.to_string()));
        } else {
            out.push(c);
            if c == '%' {
                out.push('%');
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_and_patterns_are_translated() {
        assert_eq!(
            time_format("DD.MM.YYYY \"at\" HH24:MI:SS.MS", "to_char").unwrap(),
            "%d.%m.%Y at %H:%M:%S.%3f"
        );
        assert_eq!(
            time_format("9,999", "to_char").unwrap_err().sqlstate,
            "0A000"
        );
        assert_eq!(
            similar_to("(a|b)_%", Some('\\')),
            "^(?:(?:a|b)(?s:.)(?s:.*))$"
        );
        assert_eq!(similar_to("a.b\\%[%_]", Some('\\')), "^(?:a\\.b\\%[%_])$");
    }

    #[test]
    fn rows_are_compared_column_by_column() {
        let rewritten = |sql: &str| {
            let mut parser = Parser::new(&DIALECT).try_with_sql(sql).unwrap();
            let mut expr = parser.parse_expr().unwrap();
            rewrite(&mut expr).unwrap();
            expr.to_string()
        };
        assert_eq!(rewritten("(a, b) = (1, 2)"), "((a) = (1) AND (b) = (2))");
        assert_eq!(
            rewritten("(a, b) <= (1, 2)"),
            "(((a) < (1) OR ((a) = (1) AND (b) <= (2))))"
        );
        assert_eq!(
            rewritten("x > ALL (SELECT y FROM t)"),
            "(NOT EXISTS (SELECT 1 FROM (SELECT y FROM t) AS \"__set\" (\"__item\") \
             WHERE ((x) > \"__item\") IS NOT TRUE))"
        );
    }
}
