//! Runs in a bucket: kept there when they end, found and fetched again.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Component as Part, Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use harness_adapters::{SystemClock, clients::ClientPrograms};
use harness_core::{
    ports::{ObjectSummary, Objects, PortError, Principal},
    record::RunInfo,
    stage::BUCKETS,
};

use super::{
    CliError, Interruption,
    cluster::{self, LeftOvers},
    place::{Place, local_store},
};

/// What is kept first and in this order: whoever is cut off leaves a report, which says itself what it lacks.
const FIRST: [&str; 4] = ["report.json", "report.md", "junit.xml", "run.json"];

/// Objects on their way at the same time. Each is held in memory whole.
const AT_ONCE: usize = 4;

/// A bucket that runs are kept in: `s3://BUCKET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRuns {
    bucket: String,
}

impl FromStr for KeptRuns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("s3://").map(|bucket| bucket.trim_end_matches('/')) {
            Some(bucket) if !bucket.is_empty() && !bucket.contains('/') => Ok(Self { bucket: bucket.to_owned() }),
            _ => Err(format!("{text:?} is not s3://BUCKET")),
        }
    }
}

/// Refuses the buckets that are looked into.
pub(super) fn may_keep(bucket: &str) -> Result<(), CliError> {
    match BUCKETS.iter().find(|(name, _)| *name == bucket) {
        Some((_, owner)) => Err(CliError::Usage(format!("{bucket} is {owner}'s own bucket: keep runs in another one"))),
        None => Ok(()),
    }
}

/// Puts every file of the run `id` in `folder` below `id/` in `bucket`, which is made if it is not there. One that fails keeps no other
/// from being tried.
pub(super) async fn keep(objects: &dyn Objects, bucket: &str, id: &str, folder: &Path) -> Result<(), CliError> {
    let refused = |error: PortError| CliError::NotWritten(format!("run {id} is not kept in s3://{bucket}: {error}"));
    objects.create_bucket(bucket).await.map_err(refused)?;
    let (first, rest): (Vec<String>, Vec<String>) =
        files(folder)?.into_iter().partition(|path| FIRST.contains(&path.as_str()));
    let put = async |path: &String| {
        let file = folder.join(path);
        let bytes = fs::read(&file).map_err(|error| not_written(&file, &error))?;
        objects.put(Principal::Harness, bucket, &format!("{id}/{path}"), bytes.into()).await.map_err(refused)
    };
    let mut outcomes = Vec::new();
    for name in FIRST.iter().filter_map(|name| first.iter().find(|path| path == name)) {
        outcomes.push(put(name).await);
    }
    outcomes.extend(stream::iter(&rest).map(put).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
    let all = outcomes.len();
    let failures: Vec<CliError> = outcomes.into_iter().filter_map(Result::err).collect();
    match failures.first() {
        None => Ok(()),
        Some(error) => Err(CliError::NotWritten(format!("{error} ({} of {all} files)", failures.len()))),
    }
}

/// Every file below `folder` that tells of the run, by its path with slashes, in order.
fn files(folder: &Path) -> Result<Vec<String>, CliError> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(inside) = folders.pop() {
        let path = folder.join(&inside);
        let unread = |error: std::io::Error| not_written(&path, &error);
        for entry in fs::read_dir(&path).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let named = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
            if entry.file_type().map_err(unread)?.is_dir() {
                folders.push(named);
            } else if !is_lock(&named) {
                found.push(named);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What processes of a run agree by says nothing of it.
fn is_lock(path: &str) -> bool {
    path == "run.lock" || path.starts_with("locks/")
}

fn not_written(path: &Path, error: &std::io::Error) -> CliError {
    CliError::NotWritten(format!("{}: {error}", path.display()))
}

/// The runs in a bucket of the store at `place`, oldest first, a line each.
///
/// # Errors
/// [`CliError::SetUp`]: the store is not reached. [`CliError::Usage`]: there is no such bucket.
/// [`CliError::NothingSelected`]: no run is kept there.
pub async fn list_kept(from: &KeptRuns, place: &Place, interruption: &Interruption) -> Result<String, CliError> {
    let listing = with_store(place, from, async |objects| listed(objects, &from.bucket).await);
    interruption.or("while the store was asked", listing).await
}

/// Fetches the run `id` into the folder `runs`; returns its own folder.
///
/// # Errors
/// As [`list_kept`]; [`CliError::NotWritten`]: a file, or a folder of that name with a run in it that is no older copy.
pub async fn fetch(
    id: &str,
    from: &KeptRuns,
    place: &Place,
    runs: &Path,
    interruption: &Interruption,
) -> Result<PathBuf, CliError> {
    let fetching = with_store(place, from, async |objects| fetched(objects, &from.bucket, id, runs).await);
    interruption.or("while the run was fetched", fetching).await
}

async fn with_store<T>(
    place: &Place,
    from: &KeptRuns,
    work: impl AsyncFnOnce(&dyn Objects) -> Result<T, CliError>,
) -> Result<T, CliError> {
    match place {
        Place::Local(options) => work(&local_store(&format!("s3://{}", from.bucket), &options.folders).await?).await,
        Place::Containers(_) => Err(CliError::Usage(
            "the store of the target containers goes with its run: no run is kept there".to_owned(),
        )),
        Place::Tree(_) => Err(CliError::Usage("a tree has no store: no run is kept there".to_owned())),
        Place::Cluster(options) => {
            let session =
                cluster::open(options, LeftOvers::Left, ClientPrograms::new(), Arc::new(SystemClock::start())).await?;
            work(&*session.ports.objects).await
        }
    }
}

fn refused(bucket: &str) -> impl Fn(PortError) -> CliError {
    move |error| match error {
        PortError::NotFound { .. } => CliError::Usage(format!("s3://{bucket}: {error}")),
        error => CliError::SetUp(format!("s3://{bucket}: {error}")),
    }
}

async fn listed(objects: &dyn Objects, bucket: &str) -> Result<String, CliError> {
    let mut kept: BTreeMap<String, Vec<ObjectSummary>> = BTreeMap::new();
    for object in objects.list(Principal::Harness, bucket, "").await.map_err(refused(bucket))? {
        if let Some((id, _)) = object.key.split_once('/') {
            kept.entry(id.to_owned()).or_default().push(object);
        }
    }
    if kept.is_empty() {
        return Err(CliError::NothingSelected(format!("no run is kept in s3://{bucket}")));
    }
    let mut text = String::new();
    for (id, files) in kept {
        let about = objects.get(Principal::Harness, bucket, &format!("{id}/run.json")).await;
        let about = about.ok().and_then(|bytes| serde_json::from_slice::<RunInfo>(&bytes).ok());
        let told = about.map_or_else(
            || "no run.json".to_owned(),
            |run| format!("{}/{}  {}", run.target, run.profile, run.selection.filters.join(" ")),
        );
        let size: u64 = files.iter().map(|file| file.size).sum();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{id}  {:>5} files {:>7} KiB  {told}", files.len(), size.div_ceil(1024));
    }
    Ok(text)
}

async fn fetched(objects: &dyn Objects, bucket: &str, id: &str, runs: &Path) -> Result<PathBuf, CliError> {
    let folder = inside(runs, id).ok_or_else(|| CliError::Usage(format!("{id:?} is no id of a run")))?;
    let prefix = format!("{id}/");
    let found = objects.list(Principal::Harness, bucket, &prefix).await.map_err(refused(bucket))?;
    if found.is_empty() {
        return Err(CliError::Usage(format!("s3://{bucket} has no run {id}")));
    }
    let get = async |object: ObjectSummary| {
        let name = object.key.strip_prefix(&prefix).unwrap_or_default();
        // Who may write into the bucket may not choose any file of this machine.
        let path = inside(&folder, name)
            .ok_or_else(|| CliError::Unreadable(format!("s3://{bucket}/{} is no file of a run", object.key)))?;
        let bytes = objects.get(Principal::Harness, bucket, &object.key).await.map_err(refused(bucket))?;
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| not_written(&path, &error))
    };
    stream::iter(found).map(get).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(folder)
}

/// `path` below `folder`; `None` where it leads elsewhere.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let plain = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Part::Normal(_)));
    plain.then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_kept_runs_is_named_by_its_url() {
        for text in ["s3://kept", "s3://kept/"] {
            assert_eq!(text.parse::<KeptRuns>().unwrap().bucket, "kept");
        }
        for text in ["kept", "s3://", "s3:///", "s3://kept/run"] {
            assert!(text.parse::<KeptRuns>().is_err(), "{text}");
        }
    }

    #[test]
    fn runs_are_not_kept_where_the_stack_is_looked_at() {
        assert!(may_keep("lgtm-verify-results").is_ok());
        for (bucket, _) in BUCKETS {
            assert!(may_keep(bucket).unwrap_err().to_string().starts_with(bucket));
        }
    }

    #[test]
    fn what_a_bucket_names_stays_below_the_folder() {
        let folder = Path::new("runs");
        assert_eq!(inside(folder, "bodies/ab/cd").unwrap(), folder.join("bodies/ab/cd"));
        for path in ["", "..", "../run", "a/../../b", "/etc/passwd"] {
            assert_eq!(inside(folder, path), None, "{path}");
        }
    }

    #[test]
    fn every_file_of_a_run_is_kept_but_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["run.json", "run.lock", "locks/x", "report.json", "events/a.ndjson", "bodies/ab/cd"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let expected = ["bodies/ab/cd", "events/a.ndjson", "report.json", "run.json"];
        assert_eq!(files(folder.path()).unwrap(), expected);
    }
}
