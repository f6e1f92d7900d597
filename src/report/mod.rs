//! Renders results as tables, JUnit XML, Markdown, CSV, HTML, SVG, and PNG. Each renderer is a pure function.

pub(crate) mod calibration_table;
pub(crate) mod chart;
pub(crate) mod csv;
pub(crate) mod gathered;
pub(crate) mod html;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod metrics;
pub(crate) mod overview;
pub(crate) mod page;
mod picture;
pub(crate) mod png;
pub(crate) mod request_rows;
pub(crate) mod svg;
pub(crate) mod sweep_table;
pub(crate) mod table;
mod window_line;
