//! The few flags that every service takes.

use std::ffi::OsString;
use std::path::PathBuf;

/// What was given on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) config: Option<PathBuf>,
    pub(super) set: Vec<(String, String)>,
    pub(super) help: bool,
}

/// How a service is started.
pub(super) fn usage(service: &str) -> String {
    format!(
        "Usage: {service} [--config PATH] [--set KEY=VALUE]...\n\n\
         --config PATH     the configuration, a TOML file\n\
         --set KEY=VALUE   one setting, such as rate.window=1h; goes before all else\n\
         --help            this text\n\n\
         A variable BOWLINE_RATE__WINDOW sets rate.window, over the file. Secrets come from files\n\
         or from BOWLINE_SECRET_... variables."
    )
}

impl Flags {
    /// Reads the arguments after the program's name; the error is for people.
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let argument = text(argument)?;
            let (flag, attached) = match argument.split_once('=') {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let value = attached.clone().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{flag} needs a value"))
            };
            match flag {
                "--help" | "-h" => flags.help = true,
                "--config" => flags.config = Some(PathBuf::from(value()?)),
                "--set" => flags.set.push(setting(&text(value()?)?)?),
                _ => return Err(format!("unknown argument `{flag}`")),
            }
        }
        Ok(flags)
    }
}

fn text(argument: OsString) -> Result<String, String> {
    argument
        .into_string()
        .map_err(|argument| format!("{argument:?} is not UTF-8"))
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("--set needs KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        Flags::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_value_follows_its_flag_or_is_attached() {
        let expected = Flags {
            config: Some("b.toml".into()),
            set: vec![
                ("mode".into(), "observe".into()),
                ("nats.url".into(), "a=b".into()),
            ],
            help: false,
        };
        let apart = [
            "--config",
            "b.toml",
            "--set",
            "mode=observe",
            "--set",
            "nats.url=a=b",
        ];
        assert_eq!(parse(&apart).unwrap(), expected);
        let attached = [
            "--config=b.toml",
            "--set=mode=observe",
            "--set=nats.url=a=b",
        ];
        assert_eq!(parse(&attached).unwrap(), expected);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(
            parse(&["--colour"]).unwrap_err(),
            "unknown argument `--colour`"
        );
        assert_eq!(parse(&["--config"]).unwrap_err(), "--config needs a value");
        assert_eq!(
            parse(&["--set", "mode"]).unwrap_err(),
            "--set needs KEY=VALUE"
        );
    }
}
