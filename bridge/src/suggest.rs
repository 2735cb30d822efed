//! "Did you mean": the known word nearest to one that is not known.
//!
//! The distance counts insertions, deletions, replacements and swaps of neighbours (a typo of the
//! hand is one step). A word is only suggested if it is nearer than a third of its length, and at
//! least one step.

use datafusion::common::Column;

/// The words that a statement is built from, for misspelt ones.
pub const KEYWORDS: [&str; 68] = [
    "SELECT",
    "FROM",
    "WHERE",
    "INSERT",
    "INTO",
    "VALUES",
    "UPDATE",
    "SET",
    "DELETE",
    "CREATE",
    "TABLE",
    "DROP",
    "ALTER",
    "GROUP",
    "ORDER",
    "BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT",
    "RIGHT",
    "INNER",
    "OUTER",
    "FULL",
    "CROSS",
    "NATURAL",
    "ON",
    "USING",
    "UNION",
    "ALL",
    "DISTINCT",
    "INTERSECT",
    "EXCEPT",
    "EXPLAIN",
    "ANALYZE",
    "VERBOSE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "PRIMARY",
    "KEY",
    "NOT",
    "NULL",
    "DEFAULT",
    "CAST",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "BETWEEN",
    "LIKE",
    "EXISTS",
    "WITH",
    "RECURSIVE",
    "COPY",
    "SHOW",
    "TABLES",
    "DESCRIBE",
    "CHECKPOINT",
    "AND",
    "OR",
    "AS",
    "IS",
    "IN",
    "ASC",
    "DESC",
];

/// The candidate nearest to `word`, ignoring case; None if none is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = match word.chars().count() {
        0..=2 => return None,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|c| (distance(&word, &c.to_lowercase()), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// "did you mean "x"?", or "".
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, candidates) {
        Some(found) => format!("did you mean \"{found}\"?"),
        None => String::new(),
    }
}

pub fn column_hint(field: &Column, valid: &[Column]) -> String {
    // The right column under another table is the most likely thing that was meant.
    let names: Vec<String> = valid
        .iter()
        .map(|c| match (&field.relation, &c.relation) {
            (Some(_), Some(relation)) => format!("{}.{}", relation.table(), c.name),
            _ => c.name.clone(),
        })
        .collect();
    let wanted = match &field.relation {
        Some(relation) => format!("{}.{}", relation.table(), field.name),
        None => field.name.clone(),
    };
    let found = hint(&wanted, names.iter().map(String::as_str));
    if !found.is_empty() || names.is_empty() {
        return found;
    }
    if let Some(same) = names
        .iter()
        .find(|n| n.rsplit('.').next() == Some(field.name.as_str()))
    {
        return format!("did you mean \"{same}\"?");
    }
    let mut known: Vec<&str> = Vec::new();
    for name in &names {
        if !known.contains(&name.as_str()) {
            known.push(name);
        }
    }
    if known.len() > 12 {
        known.truncate(12);
        known.push("...");
    }
    format!("columns here are: {}", known.join(", "))
}

/// Edit distance with swaps of neighbours (optimal string alignment).
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word() {
        let words = ["SELECT", "FROM", "WHERE", "INSERT", "GROUP"];
        assert_eq!(nearest("SELCT", words), Some("SELECT"));
        assert_eq!(nearest("form", words), Some("FROM"));
        assert_eq!(nearest("were", words), Some("WHERE"));
        assert_eq!(nearest("INSER", words), Some("INSERT"));
        assert_eq!(nearest("banana", words), None);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
