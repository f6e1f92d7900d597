//! The output of a process and how it ended.

use std::process::{Child, Command, Output};

pub struct Outcome {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(command: &mut Command) -> Outcome {
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")).into()
    }

    pub fn at_end_of(child: Child) -> Outcome {
        child.wait_with_output().expect("it is a child of this process").into()
    }

    #[track_caller]
    pub fn assert_exit(&self, expected: i32) -> &Outcome {
        assert_eq!(self.exit, Some(expected), "{self}");
        self
    }

    #[track_caller]
    pub fn assert_says(&self, expected: &str) -> &Outcome {
        assert!(self.stdout.contains(expected), "expected on stdout: {expected}\n{self}");
        self
    }

    #[track_caller]
    pub fn assert_says_not(&self, unexpected: &str) -> &Outcome {
        assert!(!self.stdout.contains(unexpected), "not expected on stdout: {unexpected}\n{self}");
        self
    }

    #[track_caller]
    pub fn assert_complains(&self, expected: &str) -> &Outcome {
        assert!(self.stderr.contains(expected), "expected on stderr: {expected}\n{self}");
        self
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Outcome {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what people read is UTF-8");
        Outcome { exit: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { exit, stdout, stderr } = self;
        write!(f, "exit {exit:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}
