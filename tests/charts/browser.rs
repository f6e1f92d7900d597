//! Drives Chromium through chromedriver, with just enough of the WebDriver protocol (JSON over HTTP). A full client
//! would take longer to compile than this whole test.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// No working browser takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Browser {
    driver: Child,
    /// Kept open because the driver keeps writing.
    _output: BufReader<ChildStdout>,
    port: u16,
    session: String,
}

impl Browser {
    /// `None` if it is not installed.
    pub fn start() -> Result<Option<Browser>, Failed> {
        if ![CHROMIUM, CHROMEDRIVER].iter().all(|path| Path::new(path).exists()) {
            return Ok(None);
        }
        let mut driver = Command::new(CHROMEDRIVER).arg("--port=0").stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(driver.stdout.take().expect("it is piped"));
        let port = port(&mut output).ok_or("chromedriver says no port")?;
        let mut browser = Browser { driver, _output: output, port, session: String::new() };
        let answer = browser.ask("POST", "/session", &capabilities());
        browser.session =
            answer["sessionId"].as_str().ok_or_else(|| format!("no session: {answer}"))?.to_owned();
        Ok(Some(browser))
    }

    pub fn open(&mut self, page: &Path) {
        self.command("/url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// Runs a function body and returns its result.
    pub fn run(&mut self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Everything logged to the console since the last call.
    pub fn console(&mut self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" }));
        entries.as_array().expect("a list of messages").iter().map(Value::to_string).collect()
    }

    pub fn prefer_dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Sets the width of the screen, such as a phone's.
    pub fn resize(&mut self, width: u32) {
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    fn devtools(&mut self, command: &str, parameters: Value) {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn command(&mut self, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let answer = self.ask("POST", &path, body);
        assert!(answer.get("error").is_none(), "{path} {body}: {answer}");
        answer
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body);
        answer.unwrap_or_else(|error| panic!("chromedriver, asked {method} {path}: {error}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer: Value = serde_json::from_slice(&body_of(BufReader::new(stream))?)?;
        Ok(answer["value"].take())
    }
}

/// Reads as much as Content-Length says, because the driver always keeps the connection open.
fn body_of(mut answer: impl BufRead) -> io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(body)
}

fn port(output: &mut impl BufRead) -> Option<u16> {
    output.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    })
}

impl Drop for Browser {
    /// Ends the browser with its session, even after a failed test; a second panic would abort the process.
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.try_ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// All network requests go to a dead proxy. Chromium refuses to run its sandbox as root.
fn capabilities() -> Value {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1200,900",
        "--proxy-server=http://127.0.0.1:9",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "binary": CHROMIUM, "args": arguments },
    } } })
}
