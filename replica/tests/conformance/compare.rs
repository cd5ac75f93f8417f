//! Compares an answer with the recorded outcome.

use serde_json::Value;

/// Numbers above this one are times: 2020, in nanoseconds.
const FIRST_TIME_NS: u64 = 1_577_836_800_000_000_000;

/// The names under which a scenario knows ids.
pub struct Names {
    /// What stands in the record, and what stands for it here.
    pub replacements: Vec<(String, String)>,
}

impl Names {
    /// A recorded text with the ids of this run.
    pub fn fill(&self, recorded: &str) -> String {
        let mut text = recorded.to_owned();
        for (name, id) in &self.replacements {
            text = text.replace(name, id);
        }
        text
    }
}

impl Names {
    /// A text of this run with names for ids: the inverse of [`Names::fill`].
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (name, id) in &self.replacements {
            masked = masked.replace(id, name);
        }
        masked
    }

    /// The same for all texts of a value, and for numbers that are times.
    pub fn mask_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.mask(text)),
            Value::Array(values) => values.iter().map(|value| self.mask_value(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), self.mask_value(value)))
                .collect(),
            Value::Number(number)
                if number.as_u64().is_some_and(|number| number > FIRST_TIME_NS) =>
            {
                Value::from("<time>")
            }
            other => other.clone(),
        }
    }
}

/// Whether `text` is as recorded: `how` is exact, prefix or contains.
pub fn matches(recorded: &str, how: &str, text: &str) -> bool {
    match how {
        "prefix" => rest_after(recorded, text).is_some(),
        "contains" => (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| rest_after(recorded, &text[at..]).is_some()),
        _ => rest_after(recorded, text) == Some(""),
    }
}

const HOLES: [&str; 3] = ["<N>", "<message_id>", "<bytes>"];

/// Takes the recorded text off the front, if it stands there.
fn rest_after<'a>(recorded: &str, text: &'a str) -> Option<&'a str> {
    let hole = HOLES
        .iter()
        .filter_map(|hole| recorded.find(hole).map(|at| (at, *hole)))
        .min();
    let Some((at, hole)) = hole else {
        return text.strip_prefix(recorded);
    };
    let text = text.strip_prefix(&recorded[..at])?;
    let length = match hole {
        "<N>" => text
            .find(|c: char| !c.is_ascii_digit() && !"_.,".contains(c))
            .unwrap_or(text.len()),
        "<message_id>" => 66,
        _ => text.find(']')? + 1,
    };
    // Numbers may take a full stop too many: try shorter ones as well.
    (1..=length.min(text.len()))
        .rev()
        .filter(|end| hole == "<N>" || *end == length)
        .find_map(|end| rest_after(&recorded[at + hole.len()..], &text[end..]))
}

/// A short form of a value for reports.
pub fn brief(value: &Value) -> String {
    value.to_string().chars().take(600).collect()
}
