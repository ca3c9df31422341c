//! The tuple text of the Python code bases, read: `Genotype(normal=[('sep_conv_3x3', 1), …],
//! normal_concat=range(2, 6), …)`.

use super::{Genotype, GenotypeError};

/// Fields in the order in which a Python tuple without names gives them.
const FIELDS: [&str; 4] = ["normal", "normal_concat", "reduce", "reduce_concat"];

impl Genotype {
    /// Reads the text that [`Genotype::to_python`] writes, also with a name before it
    /// (`DARTS = Genotype(…)`), line breaks, and lists in the place of ranges.
    ///
    /// # Errors
    /// [`GenotypeError::Text`] with what is wrong, or what [`Genotype::validate`] finds.
    pub fn from_python(text: &str) -> Result<Self, GenotypeError> {
        let fault = |what: String| GenotypeError::Text { what };
        let (_, inner) = text
            .split_once("Genotype(")
            .ok_or_else(|| fault("it does not hold `Genotype(`".to_owned()))?;
        let (inner, _) = inner
            .rsplit_once(')')
            .ok_or_else(|| fault("its last parenthesis is missing".to_owned()))?;
        let json = format!("{{{}}}", to_json(inner));
        let genotype: Self =
            serde_json::from_str(&json).map_err(|error| fault(error.to_string()))?;
        genotype.validate()?;
        Ok(genotype)
    }
}

/// The same data as the fields of a JSON object: tuples become lists, ranges their numbers.
fn to_json(python: &str) -> String {
    let mut json: String = python.split_whitespace().collect();
    while let Some((numbers, range)) = range(&json) {
        json.replace_range(range, &format!("[{numbers}]"));
    }
    for field in FIELDS {
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
