//! What the tuples of Python that stand for genotypes have in common: lists of pairs, ranges, and their
//! way to JSON.

use crate::cell::GenotypeError;

/// An operation and the state that it reads, `["sep_conv_3x3", 1]` in JSON.
pub type Gene = (String, usize);

/// `[('sep_conv_3x3', 1), …]`.
pub(super) fn genes(pairs: &[Gene]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(operation, source)| format!("('{operation}', {source})")).collect();
    format!("[{}]", pairs.join(", "))
}

/// `range(2, 6)` where the states are consecutive, as the Python code writes it, else a list.
pub(super) fn states(states: &[usize]) -> String {
    match (states.first(), states.last()) {
        (Some(&first), Some(&last)) if states.iter().copied().eq(first..=last) => {
            format!("range({first}, {})", last + 1)
        }
        _ => format!("{states:?}"),
    }
}

/// The JSON object of such a text, also with a name before it (`DARTS = Genotype(…)`), line breaks, and
/// lists in the place of ranges.
///
/// # Errors
/// [`GenotypeError::Text`] if it is no tuple.
pub(super) fn to_json(text: &str, fields: &[&str]) -> Result<String, GenotypeError> {
    let fault = |what: &str| GenotypeError::Text { what: what.to_owned() };
    let (_, inner) =
        text.split_once("Genotype(").ok_or_else(|| fault("it does not hold `Genotype(`"))?;
    let (inner, _) =
        inner.rsplit_once(')').ok_or_else(|| fault("its last parenthesis is missing"))?;
    Ok(format!("{{{}}}", object(inner, fields)))
}

/// The same data as the fields of a JSON object: tuples become lists, ranges their numbers.
fn object(python: &str, fields: &[&str]) -> String {
    let mut json: String = python.split_whitespace().collect();
    while let Some((numbers, range)) = range(&json) {
        json.replace_range(range, &format!("[{numbers}]"));
    }
    for field in fields {
        json = json.replace(&format!("{field}="), &format!("\"{field}\":"));
    }
    let json = json.replace('(', "[").replace(')', "]").replace('\'', "\"");
    json.replace(",]", "]").trim_end_matches(',').to_owned()
}

/// The first `range(a,b)` or `list(range(a,b))` of a text without blanks: its numbers, and where it
/// stands. Cells have few states; a longer range is no genotype and is left to fail.
fn range(text: &str) -> Option<(String, std::ops::Range<usize>)> {
    const LONGEST: usize = 64;
    let start = text.find("range(")?;
    let inner = start + "range(".len();
    let end = inner + text[inner..].find(')')?;
    let (first, last) = text[inner..end].split_once(',')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let numbers: Vec<String> = (first..last).take(LONGEST).map(|state| state.to_string()).collect();
    let listed = text[..start].ends_with("list(") && text[end + 1..].starts_with(')');
    let whole = if listed { start - "list(".len()..end + 2 } else { start..end + 1 };
    Some((numbers.join(","), whole))
}
