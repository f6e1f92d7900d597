//! The schema of the JUnit XML that Jenkins and GitLab accept.

const SCHEMA: &str = include_str!("../fixtures/jenkins-junit.xsd");

/// The schema violations; `Err` if the text isn't XML.
pub fn complaints(xml: &str) -> Result<Vec<String>, String> {
    let schema = uppsala::parse(SCHEMA).expect("the schema is XML");
    let validator = uppsala::XsdValidator::from_schema(&schema).expect("the schema is a schema");
    let document = uppsala::parse(xml).map_err(|error| error.to_string())?;
    Ok(validator.validate(&document).iter().map(ToString::to_string).collect())
}

#[track_caller]
pub fn assert_valid(xml: &str) {
    assert_eq!(complaints(xml), Ok(Vec::new()), "{xml}");
}
