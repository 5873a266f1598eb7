//! A component's processes, told as an orchestrator tells its pods. What is secret is looked at and told by name alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use harness_core::ports::{Component, Container, Pod, PortError, Workload};

use super::{LocalStack, Phase, layout::configuration_file};
use crate::{
    causes,
    targets::blueprint::{KeyPair, Program, whose_keys},
};

/// How the credentials of a program are called, for they are no object here that has a name.
fn credentials_of(component: Component) -> String {
    format!("credentials of {}", Program::of(component).name())
}

/// The component as it is declared, once, with every process that runs by its configuration.
pub(super) fn workload(stack: &LocalStack, component: Component) -> Result<Workload, PortError> {
    let unread = |path: &Path, error: &dyn std::error::Error| PortError::Unreachable {
        target: path.display().to_string(),
        reason: causes(error),
    };
    let state = stack.fresh_state().map_err(|error| unread(stack.folder(), &error))?;
    let known = state.components.get(&component);
    let Some(known) = known else { return Err(PortError::NotFound { target: component.to_string() }) };
    let file = configuration_file(stack.folder(), component);
    let mut pids = pids_with(&file).map_err(|error| unread(Path::new("/proc"), &error))?;
    pids.extend(known.pid.filter(|pid| !pids.contains(pid)));
    let configuration = match fs::read_to_string(&file) {
        Ok(text) => text,
        // MinIO has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unread(&file, &error)),
    };
    let owner = whose_keys(component, &state.overrides);
    let pod = |pid: u32| -> Result<Pod, PortError> {
        let environment = PathBuf::from(format!("/proc/{pid}/environ"));
        let variables = fs::read(&environment).map_err(|error| unread(&environment, &error))?;
        Ok(Pod {
            name: component.to_string(),
            uid: format!("pid {pid}"),
            ready: known.phase == Phase::Ready,
            ending: false,
            unscheduled: None,
            reason: None,
            containers: vec![container((component, owner), &variables, &configuration, stack.keys(component))],
        })
    };
    let pods = pids.into_iter().map(pod).collect::<Result<_, _>>()?;
    Ok(Workload { name: format!("process {component}"), replicas: 1, pods })
}

/// The process of a component that has the keys of `owner`, by its environment, as the kernel tells it: the credentials are out of their place where both are there; every other variable is
/// written by who started it, and a credential is that stands in the configuration itself.
fn container(
    (component, owner): (Component, Component),
    environment: &[u8],
    configuration: &str,
    keys: &KeyPair,
) -> Container {
    let environment = String::from_utf8_lossy(environment);
    let variables: Vec<(&str, &str)> =
        environment.split('\0').filter_map(|variable| variable.split_once('=')).collect();
    let pair = [keys.access_key_id.as_str(), keys.secret_access_key.as_str()];
    let has_both = pair.iter().all(|value| variables.iter().any(|(_, held)| held == value));
    let is_literal = |value: &&str| !pair.contains(value) || configuration.contains(*value);
    Container {
        name: Program::of(component).name().to_owned(),
        init: false,
        restarts: 0,
        waiting: None,
        ended: None,
        secrets: if has_both { vec![credentials_of(owner)] } else { Vec::new() },
        literals: variables.iter().filter(|(_, value)| is_literal(value)).map(|(name, _)| (*name).to_owned()).collect(),
        from_secret_keys: Vec::new(),
        memory_limit: None,
        memory_request: None,
        cpu_request_millis: None,
    }
}

/// Processes of this machine that were started with `file` as their configuration.
fn pids_with(file: &Path) -> io::Result<Vec<u32>> {
    let wanted = format!("-config.file={}", file.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended meanwhile runs no more.
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        if line.split(|byte| *byte == 0).any(|argument| argument == wanted.as_bytes()) {
            found.push(pid);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_told_from_what_is_written_down() {
        let keys = KeyPair { access_key_id: "loki1".to_owned(), secret_access_key: "hidden".to_owned() };
        let environment = b"S3_ACCESS_KEY_ID=loki1\0S3_SECRET_ACCESS_KEY=hidden\0GOMEMLIMIT=1GiB\0";
        let of = |environment: &[u8], configuration: &str| {
            let Container { secrets, literals, .. } =
                container((Component::LokiWrite, Component::LokiRead), environment, configuration, &keys);
            (secrets, literals)
        };
        let (own, limit) = (vec!["credentials of loki".to_owned()], "GOMEMLIMIT".to_owned());
        assert_eq!(of(environment, "key: ${S3_ACCESS_KEY_ID}"), (own.clone(), vec![limit.clone()]));
        assert_eq!(of(environment, "key: hidden"), (own, vec!["S3_SECRET_ACCESS_KEY".to_owned(), limit]));
        let other = b"S3_ACCESS_KEY_ID=loki1\0S3_SECRET_ACCESS_KEY=another\0";
        assert_eq!(of(other, ""), (Vec::new(), vec!["S3_SECRET_ACCESS_KEY".to_owned()]));
    }
}
