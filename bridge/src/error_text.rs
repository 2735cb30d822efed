//! What is known about the wording of DataFusion's and Arrow's errors.
//!
//! They carry most facts only in their message. Each rule here recognises one wording and says the
//! same in our words with the right SQLSTATE; a message that no rule knows passes as it is. The
//! unit tests hold the wordings of the pinned version, so that an upgrade that changes one is
//! noticed.

use crate::error::BridgeError;
use crate::suggest;
use crate::types::sql_name_of_arrow_text;

type Rule = fn(&str) -> Option<Box<BridgeError>>;

/// Our error for `message`; `fallback` is the SQLSTATE if nothing is known about it.
pub fn classify(message: &str, fallback: &str) -> Box<BridgeError> {
    let rules: [Rule; 12] = [
        no_such_signature,
        misplaced,
        cast_from_text,
        value_out_of_range,
        decimal_too_large,
        decimal_from_text,
        bad_date,
        unknown_function,
        bad_arguments,
        not_comparable,
        grouping,
        simple,
    ];
    let message = clean(message);
    for rule in rules {
        if let Some(error) = rule(&message) {
            return error;
        }
    }
    BridgeError::new(fallback, message)
}

/// Without the prefixes that wrapped errors leave in the text, and without a backtrace.
fn clean(message: &str) -> String {
    let mut rest = message.split("\n\nbacktrace:").next().unwrap_or(message);
    for prefix in [
        "Arrow error: ",
        "Optimizer rule ",
        "Cast error: ",
        "Parser error: ",
        "Invalid argument error: ",
        "Error during planning: ",
        "Execution error: ",
        "type_coercion\ncaused by\n",
    ] {
        if prefix != "Optimizer rule " {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
    }
    rest.to_string()
}

/// What stands between `open` and `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let start = text.find(open)? + open.len();
    let end = text[start..].find(close)? + start;
    Some(&text[start..end])
}

// Cannot cast string 'abc' to value of Int64 type
fn cast_from_text(m: &str) -> Option<Box<BridgeError>> {
    let start = m.find("Cannot cast string '")? + "Cannot cast string '".len();
    let end = m.rfind("' to value of ")?;
    let kind = sql_name_of_arrow_text(between(m, "' to value of ", " type")?);
    let mut error = invalid_input(m.get(start..end)?, &kind);
    if matches!(kind.as_str(), "DATE" | "TIME" | "TIMESTAMP" | "INTERVAL") {
        error.sqlstate = "22007".to_string();
    }
    Some(error)
}

pub fn invalid_input(text: &str, type_name: &str) -> Box<BridgeError> {
    BridgeError::new(
        "22P02",
        format!("invalid input for type {type_name}: \"{text}\""),
    )
}

// Can't cast value 99999 to type Int16; value of 99999999999999999999 is out of range Int64
fn value_out_of_range(m: &str) -> Option<Box<BridgeError>> {
    if let Some(value) = between(m, "value of ", " is out of range ") {
        let kind = m.rsplit(' ').next()?;
        return Some(out_of_range(value, &sql_name_of_arrow_text(kind)));
    }
    // value of 3000000000 is out of range Int32
    if let Some((value, kind)) = m.split_once(" is out of range ")
        && let Some(value) = value.strip_prefix("value of ")
    {
        return Some(out_of_range(value, &sql_name_of_arrow_text(kind.trim())));
    }
    let value = between(m, "Can't cast value ", " to type ")?;
    let kind = m.split(" to type ").nth(1)?.trim();
    Some(out_of_range(value, &sql_name_of_arrow_text(kind)))
}

pub fn out_of_range(value: &str, type_name: &str) -> Box<BridgeError> {
    BridgeError::new(
        "22003",
        format!("value {value} is out of range for type {type_name}"),
    )
}

// 12345 is too large to store in a Decimal128 of precision 4. Max is 9999
fn decimal_too_large(m: &str) -> Option<Box<BridgeError>> {
    if !m.contains("too large to store in a Decimal") && !m.contains("too small to store in a") {
        return None;
    }
    let value = m.split(" is too ").next()?;
    let precision = between(m, "of precision ", ".")?;
    Some(BridgeError::new(
        "22003",
        format!("value {value} has more than the {precision} digits that its DECIMAL type allows"),
    ))
}

// Cannot cast string 'x' to decimal type of precision 38 and scale 10; Cannot parse decimal ...
fn decimal_from_text(m: &str) -> Option<Box<BridgeError>> {
    if m.contains("to decimal type of") {
        let text =
            between(m, "Cannot cast string '", "'").or_else(|| between(m, "string '", "'"))?;
        return Some(invalid_input(text, "DECIMAL"));
    }
    if m.starts_with("can't parse the string value ") || m.contains("parse decimal") {
        return Some(BridgeError::new(
            "22P02",
            format!("invalid input for type DECIMAL: {m}"),
        ));
    }
    None
}

// Error parsing timestamp from 'abc': error parsing date
fn bad_date(m: &str) -> Option<Box<BridgeError>> {
    for (wording, name) in [
        ("Error parsing timestamp from '", "TIMESTAMP"),
        ("Error parsing date from '", "DATE"),
        ("Error parsing time from '", "TIME"),
    ] {
        if let Some(text) = between(m, wording, "'") {
            return Some(BridgeError::new(
                "22007",
                format!("invalid input for type {name}: \"{text}\""),
            ));
        }
    }
    if m.contains("Invalid input syntax for type interval") {
        return Some(BridgeError::new("22007", m.to_string()));
    }
    None
}

// Invalid function 'foo'.\nDid you mean 'floor'?
fn unknown_function(m: &str) -> Option<Box<BridgeError>> {
    let name = between(m, "Invalid function '", "'")
        .or_else(|| between(m, "table function '", "' not found"))?;
    let error = BridgeError::new("42883", format!("function {name}() does not exist"))
        .subject(name.to_string());
    let near = between(m, "Did you mean '", "'").and_then(|o| suggest::nearest(name, [o]));
    Some(match near {
        Some(other) => error.hint(format!("did you mean {other}()?")),
        None => error,
    })
}

// ... No function matches the given name and argument types 'sum(Utf8View)'. You might need ...
fn no_such_signature(m: &str) -> Option<Box<BridgeError>> {
    let call = between(m, "the given name and argument types '", "'. You might")?;
    let (name, types) = call.split_once('(')?;
    let name = SQL_NAMES
        .iter()
        .find(|(ours, _)| *ours == name)
        .map_or(name, |(_, sql)| sql);
    let types = types.strip_suffix(')')?;
    let types: Vec<String> = outer_commas(types).map(sql_name_of_arrow_text).collect();
    Some(
        BridgeError::new(
            "42883",
            format!("function {name}({}) does not exist", types.join(", ")),
        )
        .subject(name)
        .hint("no function of this name takes these types; a CAST may help"),
    )
}

/// Functions that DataFusion calls otherwise than PostgreSQL.
const SQL_NAMES: [(&str, &str); 1] = [("substr", "substring")];

/// The parts between the commas that stand in no parenthesis.
fn outer_commas(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    list.split(move |c| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

// Clauses in which something must not stand, and ordering by what is not there.
fn misplaced(m: &str) -> Option<Box<BridgeError>> {
    let error = |sqlstate: &str, message: String| Some(BridgeError::new(sqlstate, message));
    if m.contains("Aggregate functions are not allowed in the WHERE clause") {
        let message = "aggregate functions are not allowed in WHERE".to_string();
        return Some(BridgeError::new("42803", message).hint("conditions on them go after HAVING"));
    }
    if m.starts_with("Aggregate function calls cannot be nested") {
        return error("42803", "aggregate functions cannot be nested".to_string());
    }
    if let Some(rest) = m.strip_prefix("HAVING clause references: ") {
        let what = rest.split(" must appear in").next().unwrap_or(rest);
        return error(
            "42803",
            format!("HAVING uses {what}, which is neither grouped nor aggregated"),
        );
    }
    if let Some(what) = between(
        m,
        "For SELECT DISTINCT, ORDER BY expressions ",
        " must appear",
    ) {
        return error(
            "42P10",
            format!("with SELECT DISTINCT, ORDER BY can only use what is selected, not {what}"),
        );
    }
    if let Some(n) = between(m, "Order by column out of bounds, specified: ", ",") {
        return error(
            "42P10",
            format!("ORDER BY position {n} is not in the select list"),
        );
    }
    if m.contains("Cannot find column with position") {
        return error(
            "42P10",
            "GROUP BY position is not in the select list".to_string(),
        );
    }
    if m.starts_with("Unary operator '") {
        let op = between(m, "Unary operator '", "'")?;
        return error(
            "42883",
            format!("operator {op} cannot take a value of this type"),
        );
    }
    if m.contains("LIMIT must be >= 0") {
        return error("2201W", "LIMIT must not be negative".to_string());
    }
    if m.contains("OFFSET must be >=0") {
        return error("2201X", "OFFSET must not be negative".to_string());
    }
    if m.starts_with("Expected LIMIT to be") {
        return error("42804", "LIMIT must be a whole number".to_string());
    }
    if m.starts_with("Expected OFFSET to be") {
        return error("42804", "OFFSET must be a whole number".to_string());
    }
    None
}

// Failed to coerce arguments to satisfy a call to 'sum' function: ...
fn bad_arguments(m: &str) -> Option<Box<BridgeError>> {
    let name = between(m, "call to '", "' function")?;
    Some(
        BridgeError::new(
            "42883",
            format!("function {name}() cannot take arguments of these types"),
        )
        .subject(name.to_string())
        .detail(m.replace('\n', " ")),
    )
}

// Cannot infer common argument type for comparison operation Int64 = Date32
fn not_comparable(m: &str) -> Option<Box<BridgeError>> {
    let coerced = between(m, "Cannot coerce arithmetic expression ", " to valid types");
    let temporal = || between(m, "Cannot get result type for temporal operation ", ": ");
    if let Some(what) = coerced.or_else(temporal)
        && let [left, op, right] = what.split(' ').collect::<Vec<_>>().as_slice()
    {
        let (left, right) = (sql_name_of_arrow_text(left), sql_name_of_arrow_text(right));
        return Some(
            BridgeError::new(
                "42804",
                format!("operator {op} cannot take {left} and {right}"),
            )
            .hint("write a CAST"),
        );
    }
    if let Some(rest) = m.strip_prefix("Cannot create filter with non-boolean predicate '")
        && let Some((what, kind)) = rest.split_once("' returning ")
    {
        let kind = sql_name_of_arrow_text(kind.trim());
        return Some(BridgeError::new(
            "42804",
            format!("a condition must be BOOLEAN, and {what} is {kind}"),
        ));
    }
    for wording in [
        "Cannot infer common argument type for",
        "Cannot coerce arithmetic expression",
        "There isn't a common type to coerce",
        "Unsupported CAST from",
        "Cannot automatically convert",
        "cannot be casted to",
        "Filter predicate must return BOOLEAN",
        "Cannot create filter with non-boolean predicate",
    ] {
        if m.contains(wording) {
            return Some(BridgeError::new("42804", m.to_string()));
        }
    }
    None
}

// Column in SELECT must be in GROUP BY or an aggregate function: ...
fn grouping(m: &str) -> Option<Box<BridgeError>> {
    if !m.contains("must be in GROUP BY or an aggregate function") {
        return None;
    }
    let column = between(m, "column \"", "\"").map(str::to_string);
    let short = m.split("While expanding wildcard, ").last().unwrap_or(m);
    let short = short.split(", currently only").next().unwrap_or(short);
    let error = BridgeError::new("42803", short.to_string());
    Some(match column {
        Some(name) => error.subject(name),
        None => error,
    })
}

fn simple(m: &str) -> Option<Box<BridgeError>> {
    let (state, text) = if m.contains("ivide by zero") || m.contains("ivision by zero") {
        ("22012", "division by zero".to_string())
    } else if m.to_lowercase().contains("overflow") {
        ("22003", m.to_string())
    } else if m.contains("Ambiguous reference") {
        ("42702", m.to_string())
    } else if m.contains("returned more than one row") || m.contains("more than one row") {
        ("21000", m.to_string())
    } else if m.contains("cannot take square root of a negative") {
        ("2201F", m.to_string())
    } else if m.contains("negative count not allowed") {
        ("22011", "negative substring length not allowed".to_string())
    } else if m.contains("require unique expression names") {
        ("42701", m.to_string())
    } else if m.contains("laceholder") {
        ("42P02", m.to_string())
    } else {
        return None;
    };
    Some(BridgeError::new(state, text))
}

// Overflow happened on: 9223372036854775807 + 1
pub fn overflow(m: &str) -> Box<BridgeError> {
    match m.strip_prefix("Overflow happened on: ") {
        Some(what) => BridgeError::new("22003", format!("number out of range: {what}")),
        None => BridgeError::new("22003", m.to_string()),
    }
}

pub fn out_of_memory(m: &str) -> Box<BridgeError> {
    BridgeError::new(
        "53200",
        "the query needs more memory than memory_limit allows",
    )
    .detail(m.lines().collect::<Vec<_>>().join(" "))
    .hint("raise memory_limit, or let the query hold fewer rows at a time")
}

pub fn not_implemented(m: &str) -> Box<BridgeError> {
    if m.contains("does not support logical expression WindowFunction(") {
        return BridgeError::new("42P20", "window functions are not allowed here")
            .hint("use them in SELECT or ORDER BY of a subquery, and filter outside");
    }
    BridgeError::new("0A000", not_implemented_text(m))
}

fn not_implemented_text(m: &str) -> String {
    let m = m.split("\n\nbacktrace:").next().unwrap_or(m);
    for (wording, what) in [
        (
            "expression WindowFunction(",
            "a window function in this place",
        ),
        (
            "expression AggregateFunction(",
            "an aggregate function in this place",
        ),
        ("expression Exists(", "EXISTS in this place"),
        ("expression InSubquery(", "IN with a query in this place"),
        (
            "expression ScalarSubquery(",
            "a correlated subquery of this form",
        ),
        (
            "undecorrelated Subquery",
            "a correlated subquery of this form",
        ),
        (
            "expression OuterReferenceColumn(",
            "a correlated subquery of this form",
        ),
    ] {
        if m.contains(wording) {
            return format!("{what} is not supported yet");
        }
    }
    if m.contains("support") || m.contains("implemented") {
        return m.to_string();
    }
    format!("{m} is not supported yet")
}

/// DataFusion calls some plans that it cannot run internal errors.
pub fn internal(m: &str) -> Box<BridgeError> {
    let first = m.split(".\nThis issue was likely").next().unwrap_or(m);
    BridgeError::new("XX000", format!("internal error: {}", clean(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_of_the_pinned_version_are_known() {
        let e = classify("Cannot cast string 'abc' to value of Int64 type", "22000");
        assert_eq!(
            (e.sqlstate.as_str(), e.message.as_str()),
            ("22P02", "invalid input for type BIGINT: \"abc\"")
        );
        let e = classify("Can't cast value 99999 to type Int16", "22000");
        assert_eq!(
            (e.sqlstate.as_str(), e.message.as_str()),
            ("22003", "value 99999 is out of range for type SMALLINT")
        );
        let e = classify("Invalid function 'flor'.\nDid you mean 'floor'?", "42601");
        assert_eq!(
            (e.sqlstate.as_str(), e.hint.as_str()),
            ("42883", "did you mean floor()?")
        );
        let e = classify(
            "Function 'sum' failed to match any signature. No function matches the given name and \
             argument types 'sum(Utf8View, List(Int32))'. You might need to add",
            "42601",
        );
        assert_eq!(
            (e.sqlstate.as_str(), e.message.as_str()),
            ("42883", "function sum(TEXT, INTEGER[]) does not exist")
        );
        assert_eq!(classify("Divide by zero error", "22000").sqlstate, "22012");
        assert_eq!(classify("something else", "22000").sqlstate, "22000");
    }
}
