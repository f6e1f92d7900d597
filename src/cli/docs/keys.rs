//! The keys of a TOML file as Markdown tables, from its JSON Schema.

use serde_json::{Map, Value};

use crate::cli::docs::{row, table_head};

/// A table of the file's own keys, then one for each table in it, such as `load.NAME.ramp`.
pub(crate) fn tables(schema: &Value) -> String {
    let file = Schema { root: schema, node: schema };
    let text = file.units() + &file.keys("");
    text.trim_start().to_owned()
}

/// A node of a schema, and the whole schema, which `$ref`s point into.
#[derive(Clone, Copy)]
struct Schema<'a> {
    root: &'a Value,
    node: &'a Value,
}

/// The kind of table that a key's value may be: its name in a path, and its keys.
enum Nested<'a> {
    /// A table with these keys.
    Table(Schema<'a>),
    /// A table of such tables, by name; shown as `NAME`.
    Named(&'static str, Schema<'a>),
}

impl<'a> Schema<'a> {
    fn at(self, node: &'a Value) -> Schema<'a> {
        Schema { node, ..self }
    }

    fn text(self, key: &str) -> &'a str {
        self.node[key].as_str().unwrap_or_default()
    }

    fn properties(self) -> Option<&'a Map<String, Value>> {
        self.node["properties"].as_object()
    }

    /// The definition's name, if the node refers to one.
    fn reference(self) -> Option<&'a str> {
        self.node["$ref"].as_str()?.strip_prefix("#/$defs/")
    }

    fn resolved(self) -> Schema<'a> {
        self.reference().map_or(self, |name| self.at(&self.root["$defs"][name]))
    }

    /// The forms that the value may have, without `null` for an optional key.
    fn forms(self) -> Vec<Schema<'a>> {
        let node = self.resolved();
        let Some(forms) = ["anyOf", "oneOf"].iter().find_map(|key| node.node[*key].as_array()) else {
            return vec![self];
        };
        if node.properties().is_some() {
            return vec![self];
        }
        forms.iter().filter(|form| form["type"] != "null").flat_map(|form| self.at(form).forms()).collect()
    }

    fn description(self) -> String {
        let own = self.text("description");
        let text = if own.is_empty() { self.forms_description() } else { own };
        let values = self.values_described();
        format!("{} {values}", text.replace('\n', " ")).trim().to_owned()
    }

    fn forms_description(self) -> &'a str {
        let forms = self.forms().into_iter().map(|form| form.resolved().text("description"));
        let whole = self.resolved().text("description");
        if whole.is_empty() { forms.into_iter().next().unwrap_or_default() } else { whole }
    }

    /// "`"missing"`: only if it is not here." for each value that has a description.
    fn values_described(self) -> String {
        let values =
            self.forms().into_iter().map(Schema::resolved).filter(|form| form.node.get("const").is_some());
        let described = values.filter(|form| !form.text("description").is_empty());
        let described =
            described.map(|form| format!("`{}`: {}", form.node["const"], form.text("description")));
        described.collect::<Vec<_>>().join(" ")
    }

    fn nested(self) -> Option<Nested<'a>> {
        self.forms().into_iter().map(Schema::resolved).find_map(|form| {
            let named = |name, node| {
                let table = form.at(node).resolved();
                table.properties().map(|_| Nested::Named(name, table))
            };
            let Some(properties) = form.properties() else {
                return named("NAME", &form.node["additionalProperties"]);
            };
            let first = properties.values().next()?;
            let all_alike = properties.len() > 3 && properties.values().all(|property| property == first);
            if all_alike { named("METRIC", first) } else { Some(Nested::Table(form)) }
        })
    }

    fn keys(self, path: &str) -> String {
        let required = self.node["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_required = |name: &str| required.iter().any(|key| key == name);
        let mut entries: Vec<(&String, Schema)> =
            self.properties().into_iter().flatten().map(|(name, node)| (name, self.at(node))).collect();
        entries.sort_by_key(|(name, _)| !is_required(name));
        let mut text = table_head(&["key", "type", "default", "meaning"]);
        let mut below = String::new();
        for (name, schema) in entries {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let default = if is_required(name) { "required".to_owned() } else { schema.default() };
            text += &row(&[&format!("`{name}`"), &schema.kind(&path), &default, &schema.description()]);
            below += &schema.tables_below(&path);
        }
        text + &below
    }

    fn tables_below(self, path: &str) -> String {
        match self.nested() {
            None => String::new(),
            Some(Nested::Table(table)) => section(path, table),
            Some(Nested::Named(name, table)) => section(&format!("{path}.{name}"), table),
        }
    }

    fn default(self) -> String {
        match &self.node["default"] {
            Value::Null => String::new(),
            Value::Object(keys) if keys.is_empty() => String::new(),
            value => format!("`{value}`"),
        }
    }

    /// The type in words; a table links to its own keys.
    fn kind(self, path: &str) -> String {
        let mut kinds: Vec<String> = Vec::new();
        for form in self.forms() {
            let kind = form.kind_of_form(path);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let words = kinds.iter().filter(|kind| !kind.starts_with('`')).count();
        kinds.join(if words == 0 { ", " } else { " or " })
    }

    fn kind_of_form(self, path: &str) -> String {
        let name = self.reference().unwrap_or_default();
        let schema = self.resolved();
        if let Some(values) = schema.node["enum"].as_array() {
            return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(value) = schema.node.get("const") {
            return format!("`{value}`");
        }
        if schema.node.get("examples").is_some() {
            return name.to_lowercase();
        }
        match schema.type_name() {
            "array" => schema.array(path),
            "object" => schema.table(path),
            number @ ("integer" | "number") => format!("{number}{}", schema.bound()),
            other => other.to_owned(),
        }
    }

    fn type_name(self) -> &'a str {
        let all = self.node["type"].as_array().map(Vec::as_slice).unwrap_or_default();
        let first = all.iter().filter_map(Value::as_str).find(|name| *name != "null");
        self.node["type"].as_str().or(first).unwrap_or_default()
    }

    fn array(self, path: &str) -> String {
        if let Some(items) = self.node["prefixItems"].as_array() {
            let kinds = items.iter().map(|item| self.at(item).kind(path));
            return format!("[{}]", kinds.collect::<Vec<_>>().join(", "));
        }
        format!("array of {}s", self.at(&self.node["items"]).kind(path))
    }

    fn table(self, path: &str) -> String {
        match self.nested() {
            Some(Nested::Table(_)) => format!("[table](#{})", anchor(path)),
            Some(Nested::Named(name, _)) => format!("[tables](#{})", anchor(&format!("{path}.{name}"))),
            None => format!("table of {}s", self.at(&self.node["additionalProperties"]).kind(path)),
        }
    }

    fn bound(self) -> String {
        let number = |key: &str| self.node[key].as_f64();
        match (number("minimum"), number("exclusiveMinimum"), number("maximum")) {
            (Some(least), _, Some(most)) => format!(", {least} to {most}"),
            (Some(least), _, None) => format!(" ≥ {least}"),
            (None, Some(bound), _) => format!(" > {bound}"),
            _ => String::new(),
        }
    }

    /// How values with a unit are written.
    fn units(self) -> String {
        let definitions = self.root["$defs"].as_object().into_iter().flatten();
        let lines = definitions.filter_map(|(name, definition)| {
            let examples = definition["examples"].as_array()?.iter().map(|example| format!("`{example}`"));
            Some(format!(
                "- A {} is a string such as {}.\n",
                name.to_lowercase(),
                examples.collect::<Vec<_>>().join(", ")
            ))
        });
        lines.collect::<String>() + "\n"
    }
}

fn section(path: &str, table: Schema) -> String {
    let description = table.text("description").replace('\n', " ");
    let description = if description.is_empty() { description } else { format!("{description}\n\n") };
    format!("\n### Keys of `{path}`\n\n{description}{}", table.keys(path))
}

/// The anchor of a section's heading.
fn anchor(path: &str) -> String {
    format!("keys-of-{}", path.to_lowercase().replace('.', ""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "properties": {
                "wait": { "$ref": "#/$defs/Duration", "default": "10s", "description": "How long\nto wait." },
                "name": { "type": ["string", "null"] },
                "engine": { "anyOf": [{ "$ref": "#/$defs/Engine" }, { "type": "null" }] },
                "load": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Load" } },
            },
            "required": ["name"],
            "$defs": {
                "Duration": { "type": "string", "examples": ["30s"] },
                "Engine": { "type": "string", "enum": ["vllm", "tgi"], "description": "Who answers." },
                "Load": { "type": "object", "properties": { "users": { "type": "integer", "minimum": 1 } } },
            },
        })
    }

    #[test]
    fn every_key_has_a_type_a_default_and_a_meaning() {
        let text = tables(&sample());
        assert!(text.starts_with("- A duration is a string such as `\"30s\"`.\n\n| key |"), "{text}");
        assert!(text.contains("| `wait` | duration | `\"10s\"` | How long to wait. |"), "{text}");
        assert!(text.contains("| `engine` | `\"vllm\"`, `\"tgi\"` | | Who answers. |"), "{text}");
        assert!(text.contains("| `name` | string | required | |"), "{text}");
    }

    #[test]
    fn a_table_links_to_its_keys() {
        let text = tables(&sample());
        assert!(text.contains("| `load` | [tables](#keys-of-loadname) | | |"), "{text}");
        assert!(text.contains("### Keys of `load.NAME`\n\n| key |"), "{text}");
        assert!(text.contains("| `users` | integer ≥ 1 | | |"), "{text}");
    }
}
