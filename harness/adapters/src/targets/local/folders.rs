use std::path::PathBuf;

use thiserror::Error;

/// Where built servers and a running stack are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Built servers; may be shared by any number of stacks and users of this machine.
    pub cache: PathBuf,
    /// The stack: its state, credentials, data and logs.
    pub stack: PathBuf,
}

/// Why no folder could be named.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("neither {variable} nor HOME is set: say where to keep files with {variable}=FOLDER")]
pub struct FoldersError {
    /// The variable that decides.
    pub variable: &'static str,
}

impl Folders {
    /// From `LGTM_VERIFY_CACHE` and `LGTM_VERIFY_STATE`, else the XDG base folders, else below `HOME`. The only place
    /// that reads the environment for folders.
    pub fn from_environment() -> Result<Self, FoldersError> {
        Self::from_lookup(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, FoldersError> {
        let place = |variable: &'static str, base: &str, below_home: &str, rest: &str| {
            lookup(variable)
                .or_else(|| lookup(base).map(|folder| folder.join(rest)))
                .or_else(|| lookup("HOME").map(|home| home.join(below_home).join(rest)))
                .ok_or(FoldersError { variable })
        };
        Ok(Self {
            cache: place("LGTM_VERIFY_CACHE", "XDG_CACHE_HOME", ".cache", "lgtm-verify")?,
            stack: place("LGTM_VERIFY_STATE", "XDG_STATE_HOME", ".local/state", "lgtm-verify/stack")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(environment: &[(&str, &str)]) -> Result<Folders, FoldersError> {
        Folders::from_lookup(|name| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn the_nearest_variable_decides() {
        let table = [
            (vec![("HOME", "/h")], "/h/.cache/lgtm-verify", "/h/.local/state/lgtm-verify/stack"),
            (
                vec![("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")],
                "/c/lgtm-verify",
                "/s/lgtm-verify/stack",
            ),
            (
                vec![
                    ("HOME", "/h"),
                    ("XDG_CACHE_HOME", "/c"),
                    ("LGTM_VERIFY_CACHE", "/x"),
                    ("LGTM_VERIFY_STATE", "/y"),
                ],
                "/x",
                "/y",
            ),
        ];
        for (environment, cache, stack) in table {
            let expected = Folders { cache: cache.into(), stack: stack.into() };
            assert_eq!(folders(&environment), Ok(expected), "{environment:?}");
        }
    }

    #[test]
    fn without_any_the_variable_to_set_is_named() {
        assert_eq!(folders(&[]), Err(FoldersError { variable: "LGTM_VERIFY_CACHE" }));
    }
}
