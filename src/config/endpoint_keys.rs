//! The keys of a target at a URL.

use std::collections::BTreeMap;

use url::Url;

use crate::config::error::ConfigError;
use crate::config::expand::is_variable_name;
use crate::config::headers::{header_twice, is_header_name};
use crate::config::targets_file::{TargetCheck, TargetTable};
use crate::target::Endpoint;
use crate::text::secret::Secret;

impl TargetTable {
    /// Keys that go with a URL, and whether they are given.
    pub(super) fn endpoint_keys(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("url", self.url.is_some()),
            ("old_url", self.old_url.is_some()),
            ("api_key_env", self.api_key_env.is_some()),
            ("headers", self.headers.is_some()),
            ("ca_file", self.ca_file.is_some()),
        ]
    }
}

impl TargetCheck<'_, '_> {
    pub(super) fn endpoint(&self, table: TargetTable) -> Result<Endpoint, ConfigError> {
        let Some(url) = table.url else {
            return Err(self
                .error("engine", format!("target `{}` needs a `url` or an `image`", self.name))
                .help("add url = \"http://127.0.0.1:8000\", or image = \"vllm/vllm-openai:v0.31.0\""));
        };
        self.check_url("url", &url)?;
        if let Some(old_url) = &table.old_url {
            self.check_url("old_url", old_url)?;
            if *old_url == url {
                return Err(self
                    .error("old_url", "the same as `url`: a server can't be proven against itself")
                    .help("name the server on which the old version keeps running, or remove it"));
            }
        }
        if table.ca_file.is_some() {
            self.check_is_tls("url", Some(&url))?;
            self.check_is_tls("old_url", table.old_url.as_deref())?;
        }
        if let Some(variable) = table.api_key_env.as_ref().filter(|_| !self.is_unset("api_key_env"))
            && !is_variable_name(variable)
        {
            return Err(self.error("api_key_env", "not the name of an environment variable").help(
                "`api_key_env` names the variable that holds the key; the key itself must not be in a file",
            ));
        }
        let headers = self.headers(table.headers.unwrap_or_default())?;
        Ok(Endpoint {
            url,
            old_url: table.old_url,
            api_key_env: table.api_key_env,
            headers,
            ca_file: table.ca_file,
            hardware: table.hardware,
        })
    }

    fn headers(&self, given: BTreeMap<String, String>) -> Result<BTreeMap<String, Secret>, ConfigError> {
        let mut headers = BTreeMap::new();
        if let Some(name) = header_twice(given.keys().map(String::as_str)) {
            let at = ["targets", self.name, "headers", name];
            let message = format!("the header `{name}` is given twice; header names are case-insensitive");
            return Err(self.document.error_at_key(&at, message).help("remove one of them"));
        }
        for (name, value) in given {
            let at = ["targets", self.name, "headers", name.as_str()];
            if !is_header_name(&name) {
                let message = format!("`{name}` is not the name of an HTTP header");
                let help = "a header name consists of letters, digits and hyphens, such as X-Team";
                return Err(self.document.error_at_key(&at, message).help(help));
            }
            // The value may be a secret and is not shown.
            if value.chars().any(char::is_control) {
                let message = format!("the value of header `{name}` contains a control character");
                return Err(self.document.error_at(&at, message).help("does it end with a line feed?"));
            }
            headers.insert(name, Secret::new(value));
        }
        Ok(headers)
    }

    fn check_url(&self, key: &str, url: &str) -> Result<(), ConfigError> {
        if self.is_unset(key) {
            return Ok(());
        }
        let help = "for example \"http://127.0.0.1:8000\" or \"https://llm.example.com/v1\"";
        let message = match Url::parse(url) {
            Err(reason) => format!("`{url}` is not a URL: {reason}"),
            Ok(parsed) => match parsed.scheme() {
                "http" | "https" => return Ok(()),
                other => format!("`{url}` begins with `{other}:`, expected http:// or https://"),
            },
        };
        Err(self.error(key, message).help(help))
    }

    /// CA certificates mean nothing for a URL without TLS.
    fn check_is_tls(&self, key: &str, url: Option<&str>) -> Result<(), ConfigError> {
        let Some(url) = url.filter(|url| !self.is_unset(key) && !url.starts_with("https:")) else {
            return Ok(());
        };
        let message = format!("`ca_file` goes with https:// only, and `{key}` is `{url}`");
        Err(self.key_error("ca_file", message).help("remove it, or change the URL"))
    }
}
