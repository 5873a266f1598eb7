use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use harness_core::ports::Component;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Program, Programs, RenderError, Reporter, log::end_of, yaml};

/// Official images, by program.
const OFFICIAL: &str = include_str!("../../../../../stack/images.yaml");

/// Where images that were built here belong.
const REPOSITORY: &str = "lgtm-verify";

/// The label that says what a built image was made from.
const CONTENT: &str = "lgtm-verify.content";

/// The folder of programs in built images; every container runtime looks there.
const PROGRAMS: &str = "usr/bin";

/// The authorities that programs trust, where Debian and what descends from it keep them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who runs the harness where nobody says: not root.
const USER: &str = "10001:10001";

/// The programs that have an image.
pub(in crate::targets) const RUN: [Program; 6] =
    [Program::Minio, Program::Mc, Program::Loki, Program::Tempo, Program::Mimir, Program::Prometheus];

/// Where the stack's images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// Made here from the built servers: no registry is needed.
    Built,
    /// The official ones, pulled by whatever runs them.
    Pulled,
}

/// A value that a setting does not have.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("there is no {setting} {value:?}{}", nearest.as_ref().map(|name| format!("; the nearest is {name:?}")).unwrap_or_default())]
pub struct UnknownSetting {
    /// What it should be.
    pub setting: &'static str,
    /// As written.
    pub value: String,
    /// The value that is most like it.
    pub nearest: Option<String>,
}

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file that goes into it.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Docker.
    #[error("docker could not import {image}: {said}")]
    Import {
        /// Its reference.
        image: String,
        /// What Docker said.
        said: String,
    },
    /// A thread that ended before its time.
    #[error("{image} was not made: its thread ended")]
    Thread {
        /// Its reference.
        image: String,
    },
}

/// Reads and writes the values of a setting as words.
macro_rules! words {
    ($type:ty, $setting:literal, $($variant:path => $word:literal),+) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $($variant => $word),+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::targets::blueprint::UnknownSetting;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($variant),)+
                    _ => Err($crate::targets::blueprint::UnknownSetting {
                        setting: $setting,
                        value: text.to_owned(),
                        nearest: $crate::targets::blueprint::nearest(text, [$($word),+]),
                    }),
                }
            }
        }
    };
}

pub(in crate::targets) use words;

words!(ImageSource, "source of images", Self::Built => "built", Self::Pulled => "pulled");

/// References by program, as manifests name them.
pub(in crate::targets) fn references(
    source: ImageSource,
    prefix: Option<&str>,
) -> Result<BTreeMap<Program, String>, RenderError> {
    let official: BTreeMap<Program, String> = yaml("images.yaml", OFFICIAL)?;
    Ok(match source {
        ImageSource::Built => RUN.into_iter().map(|program| (program, reference(program))).collect(),
        ImageSource::Pulled => official
            .into_iter()
            .map(|(program, image)| match prefix.map(|prefix| prefix.trim_end_matches('/')) {
                Some(prefix) if !prefix.is_empty() => (program, format!("{prefix}/{image}")),
                _ => (program, image),
            })
            .collect(),
    })
}

/// Component to version: the tag of its image, which is what was pinned where it was built here.
pub(in crate::targets) fn versions(images: &BTreeMap<Program, String>) -> BTreeMap<String, String> {
    let components = Component::ALL.into_iter().map(|component| (component.name(), Program::of(component)));
    components
        .chain([("prometheus", Program::Prometheus)])
        .filter_map(|(name, program)| {
            let (_, tag) = images.get(&program)?.rsplit_once(':')?;
            Some((name.to_owned(), tag.to_owned()))
        })
        .collect()
}

fn reference(program: Program) -> String {
    format!("{REPOSITORY}/{program}:{}", program.version().replace('+', "-"))
}

/// An image that Docker has: its reference and its id.
pub(in crate::targets) type Made = (String, String);

/// The images of `recipes` in the Docker that `docker` is the client of; those that it has already are left as they are.
pub(in crate::targets) async fn make(
    docker: &Path,
    recipes: &[Recipe],
    report: &Reporter<'_>,
) -> Result<Vec<Made>, ImageError> {
    let docker: Arc<Path> = Arc::from(docker);
    let mut made = Vec::new();
    for recipe in recipes {
        let ended = |_| ImageError::Thread { image: recipe.reference.clone() };
        let (at, work) = (Arc::clone(&docker), recipe.clone());
        let present = tokio::task::spawn_blocking(move || work.present(&at)).await.map_err(ended)?;
        let id = match present {
            Some(id) => id,
            None => {
                let what = format!("image {}", recipe.reference);
                report.say(&what, "importing into docker");
                let (at, work) = (Arc::clone(&docker), recipe.clone());
                let id = tokio::task::spawn_blocking(move || work.import(&at)).await.map_err(ended)??;
                report.say(&what, "ready: in docker");
                id
            }
        };
        made.push((recipe.reference.clone(), id));
    }
    Ok(made)
}

/// An image that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) struct Recipe {
    pub(in crate::targets) reference: String,
    /// What runs in it, beside whose it is called.
    program: &'static str,
    /// Path in the image to the file here.
    files: Vec<(PathBuf, PathBuf)>,
    /// A digest of what it is made from.
    content: String,
    /// Who runs in it where nobody says; root if none is given.
    user: Option<&'static str>,
}

impl Recipe {
    /// An image of `program` and what has to be beside it.
    pub(in crate::targets) fn of(program: Program, programs: &Programs) -> Option<Self> {
        // The store's users are made by its client, inside its pod.
        let inside: &[Program] = if program == Program::Minio { &[Program::Minio, Program::Mc] } else { &[program] };
        let files = inside.iter().map(|inside| Some((placed(inside.name()), programs.get(inside)?.clone())));
        Some(Self {
            reference: reference(program),
            program: program.name(),
            files: files.collect::<Option<_>>()?,
            content: inside.iter().map(|inside| inside.digest()).collect::<Vec<_>>().join("-"),
            user: None,
        })
    }

    /// An image of this very harness, named by its content: `program` and the libraries that it is linked with.
    pub(in crate::targets) fn of_harness(program: &Path) -> Result<Self, ImageError> {
        let mut files = vec![(placed("lgtm-verify"), program.to_owned())];
        files.extend(libraries(program)?.into_iter().map(|library| {
            let inside = library.strip_prefix("/").unwrap_or(&library).to_owned();
            (inside, library)
        }));
        let mut content = digest(program)?;
        let authorities = PathBuf::from(AUTHORITIES);
        if authorities.is_file() {
            content = format!("{content}-{}", digest(&authorities)?.get(..4).unwrap_or_default());
            files.push((authorities.strip_prefix("/").unwrap_or(&authorities).to_owned(), authorities));
        }
        let version = env!("CARGO_PKG_VERSION");
        Ok(Self {
            reference: format!("{REPOSITORY}/{REPOSITORY}:{version}-{content}"),
            program: "lgtm-verify",
            files,
            content,
            user: Some(USER),
        })
    }

    /// Its reference, once Docker has it: made now, unless it is there already.
    pub(in crate::targets) fn made(&self, docker: &Path) -> Result<String, ImageError> {
        if self.present(docker).is_none() {
            self.import(docker)?;
        }
        Ok(self.reference.clone())
    }

    /// The id of the image, where Docker has it as this recipe makes it.
    pub(in crate::targets) fn present(&self, docker: &Path) -> Option<String> {
        let format = format!("{{{{.Id}}}} {{{{index .Config.Labels {CONTENT:?}}}}}");
        let answer = Command::new(docker)
            .args(["image", "inspect", "--format", &format, &self.reference])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let (id, content) = text.trim().split_once(' ')?;
        (content == self.content).then(|| id.to_owned())
    }

    /// Has Docker import it, and returns its id.
    pub(in crate::targets) fn import(&self, docker: &Path) -> Result<String, ImageError> {
        let failed = |said: String| ImageError::Import { image: self.reference.clone(), said };
        let broken = |error: io::Error| failed(error.to_string());
        let user = self.user.map(|user| format!("USER {user}"));
        let mut child = Command::new(docker)
            .arg("import")
            .args(user.iter().flat_map(|user| ["--change", user]))
            .args(["--change", &format!("ENTRYPOINT [\"/{PROGRAMS}/{}\"]", self.program)])
            .args(["--change", &format!("ENV PATH=/{PROGRAMS}")])
            .args(["--change", &format!("LABEL {CONTENT}={}", self.content)])
            .args(["-", &self.reference])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let written = child.stdin.take().map_or(Ok(()), |stdin| self.write(stdin));
        let answer = child.wait_with_output().map_err(broken)?;
        if !answer.status.success() {
            // Its own words before those about a pipe that it closed.
            return Err(failed(end_of(&String::from_utf8_lossy(&answer.stderr))));
        }
        written?;
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    }

    /// The file system of the image, as a tar archive.
    fn write(&self, output: impl io::Write) -> Result<(), ImageError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ImageError::File { path, source }
        };
        let mut archive = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, output));
        let tmp = Path::new("tmp");
        let mut header = header(tar::EntryType::Directory, 0o1777, 0);
        archive.append_data(&mut header, tmp, io::empty()).map_err(failed(tmp))?;
        for (inside, path) in &self.files {
            let file = fs::File::open(path).map_err(failed(path))?;
            let length = file.metadata().map_err(failed(path))?.len();
            let mut header = self::header(tar::EntryType::Regular, 0o755, length);
            archive.append_data(&mut header, inside, file).map_err(failed(path))?;
        }
        archive.into_inner().and_then(|mut buffer| io::Write::flush(&mut buffer)).map_err(failed(tmp))
    }
}

fn placed(program: &str) -> PathBuf {
    Path::new(PROGRAMS).join(program)
}

fn header(kind: tar::EntryType, mode: u32, length: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(length);
    header
}

/// The first 16 hex digits of the SHA-256 of a file.
fn digest(path: &Path) -> Result<String, ImageError> {
    let failed = |source| ImageError::File { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize().get(..8).unwrap_or_default()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

/// The loader and the libraries that a program is linked with; none for one that stands alone.
fn libraries(program: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let answer = Command::new("ldd")
        .arg(program)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ImageError::File { path: PathBuf::from("ldd"), source })?;
    Ok(paths(&String::from_utf8_lossy(&answer.stdout)))
}

/// The paths in what `ldd` prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn paths(printed: &str) -> Vec<PathBuf> {
    printed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(|word| PathBuf::from(word.trim_end_matches(':')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_an_official_image_of_the_pinned_release() {
        let official = references(ImageSource::Pulled, None).unwrap();
        assert_eq!(official.keys().copied().collect::<Vec<_>>(), {
            let mut run = RUN;
            run.sort_unstable();
            run
        });
        assert!(official.values().all(|image| image.starts_with("docker.io/") && !image.ends_with(":latest")));
        assert_eq!(official[&Program::Loki], format!("docker.io/grafana/loki:{}", &Program::Loki.version()[1..]));
        // The module of Prometheus v3.15.0 is v0.315.0.
        assert_eq!(Program::Prometheus.version(), "v0.315.0");
        assert!(official[&Program::Prometheus].ends_with(":v3.15.0"));
    }

    #[test]
    fn a_mirror_is_put_before_pulled_images_alone() {
        for prefix in ["mirror.example/hub", "mirror.example/hub/"] {
            let pulled = references(ImageSource::Pulled, Some(prefix)).unwrap();
            assert_eq!(pulled[&Program::Loki], "mirror.example/hub/docker.io/grafana/loki:3.7.8");
            let built = references(ImageSource::Built, Some(prefix)).unwrap();
            assert_eq!(built[&Program::Loki], "lgtm-verify/loki:v3.7.8");
        }
        assert_eq!(references(ImageSource::Pulled, Some("")).unwrap(), references(ImageSource::Pulled, None).unwrap());
    }

    #[test]
    fn an_image_has_its_program_what_belongs_to_it_and_a_place_for_temporary_files() {
        let folder = tempfile::tempdir().unwrap();
        let programs: Programs = [Program::Minio, Program::Mc]
            .into_iter()
            .map(|program| {
                let path = folder.path().join(program.name());
                fs::write(&path, program.name()).unwrap();
                (program, path)
            })
            .collect();
        assert_eq!(Recipe::of(Program::Loki, &programs), None);
        let mut bytes = Vec::new();
        Recipe::of(Program::Minio, &programs).unwrap().write(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap()))
            .collect();
        let expected = [("tmp", 0o1777), ("usr/bin/minio", 0o755), ("usr/bin/mc", 0o755)];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }

    #[test]
    fn the_image_of_the_harness_is_named_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "one").unwrap();
        let one = Recipe::of_harness(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert_ne!(Recipe::of_harness(&path).unwrap().reference, one.reference);
        assert!(one.reference.starts_with("lgtm-verify/lgtm-verify:"), "{}", one.reference);
        let missing = Recipe::of_harness(&folder.path().join("nowhere")).unwrap_err();
        assert!(missing.to_string().ends_with("nowhere"), "{missing}");
    }

    #[test]
    fn libraries_are_read_off_the_loader_s_list() {
        let printed = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld-linux.so.2 (0x3)\n";
        assert_eq!(paths(printed), [PathBuf::from("/lib/x/libc.so.6"), PathBuf::from("/lib64/ld-linux.so.2")]);
        assert!(paths("\tnot a dynamic executable\n").is_empty());
    }

    #[test]
    fn settings_are_found_by_name_and_missed_with_the_nearest() {
        assert_eq!("built".parse(), Ok(ImageSource::Built));
        assert_eq!(
            "pull".parse::<ImageSource>().unwrap_err().to_string(),
            "there is no source of images \"pull\"; the nearest is \"pulled\""
        );
    }
}
