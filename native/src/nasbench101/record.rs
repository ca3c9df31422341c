//! A record of the official file: JSON of hash, epochs, adjacency matrix, operations, and the metrics of
//! one training as a protocol buffer in base64 (spec §7.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smoothdarts::cell::nasbench101::{Graph, Hash};

use super::gather::{Gather, Named};
use super::training::Training;
use crate::protobuf::{Value, fields};

/// Fields of `ModelMetrics`.
const EVALUATION: u64 = 1;
const PARAMETERS: u64 = 2;
/// Fields of `EvaluationData`, eight bytes each.
const SECONDS: u64 = 2;
const VALID: u64 = 4;
const TEST: u64 = 5;

/// A training is evaluated before its start, after half of it and at its end.
const EVALUATIONS: usize = 3;

/// Adds the training of a record, which is record `number` of its file.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn add(gather: &mut Gather, number: u64, record: &[u8]) -> Result<(), String> {
    let (hash, epochs, adjacency, operations, metrics): (String, u32, String, String, String) =
        serde_json::from_slice(record).map_err(|error| {
            format!("it is no record of NAS-Bench-101, a JSON list of hash, epochs, matrix, operations and metrics: {error}")
        })?;
    let labels: Vec<&str> = operations.split(',').collect();
    let graph = Graph::from_texts(&adjacency, &labels).map_err(|error| error.to_string())?;
    let hash = hash.parse::<Hash>().map_err(|error| error.to_string())?;
    if epochs == 0 {
        return Err("it is of a training of 0 epochs".to_owned());
    }
    let (parameters, training) =
        read(&metrics).map_err(|problem| format!("its metrics: {problem}"))?;
    let named = Named { hash, graph: Some(graph), parameters: Some(parameters) };
    let (place, _) = gather.cell(number, named)?;
    gather.training(place, epochs, training)
}

/// Parameters of the network, and its training at the end.
fn read(metrics: &str) -> Result<(u32, Training), String> {
    // Python breaks the lines of its base64.
    let text: String = metrics.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|error| format!("they are no base64: {error}"))?;
    let (mut evaluations, mut parameters) = (Vec::new(), None);
    for field in fields(&bytes)? {
        match field {
            (EVALUATION, Value::Bytes(message)) => evaluations.push(message),
            (PARAMETERS, Value::Number(count)) => parameters = u32::try_from(count).ok(),
            (EVALUATION | PARAMETERS, _) => {
                return Err(format!("field {} has another type", field.0));
            }
            _ => {}
        }
    }
    let [_, _, last] = evaluations.as_slice() else {
        let count = evaluations.len();
        return Err(format!("they have {count} evaluations instead of {EVALUATIONS}"));
    };
    let parameters = parameters.ok_or("field 2, the number of parameters, is missing")?;
    Ok((parameters, evaluation(last)?))
}

fn evaluation(message: &[u8]) -> Result<Training, String> {
    let all = fields(message)?;
    let value = |wanted: u64, name: &str| {
        let found = all.iter().rev().find(|(field, _)| *field == wanted);
        match found {
            Some((_, Value::Eight(bytes))) => Ok(Some(f64::from_le_bytes(*bytes))),
            _ => Err(format!("field {wanted} of the last evaluation, the {name}, is missing")),
        }
    };
    Ok(Training {
        valid: value(VALID, "validation accuracy")?,
        test: value(TEST, "test accuracy")?,
        seconds: value(SECONDS, "training time")?,
    })
}
