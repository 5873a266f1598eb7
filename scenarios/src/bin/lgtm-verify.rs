//! The command line: flags in, a library call, an exit code out. Human text goes to standard error, data to standard output.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use harness_adapters::{
    Identity, SystemClock,
    targets::blueprint::{ImageSource, Override, Profile},
    targets::cluster::NAMESPACE,
    targets::kind::{Gateway, KindSpec, PullPolicy},
    targets::local::Folders,
    targets::nightly::Nightly,
};
use harness_core::{
    catalogue::Target,
    report::{Colour, ExitStatus, Report, Style, matrix_terminal, terminal},
    scenario::Filter,
    signal::Signal,
    stats::Plan,
};
use scenarios::cli::{
    self, BuildProgress, CliError, ClusterFrom, ClusterOptions, ContainersOptions, EndpointOverride, Interruption,
    KeptRuns, ListFormat, LocalOptions, PerJob, Place, ProveOptions, ReportTarget, RunOptions, RunProgress,
    TreeOptions, inspect::InspectError,
};

/// Tells whether a Loki, Tempo and Mimir stack with S3 persistence does what its design promises.
#[derive(Parser)]
#[command(name = "lgtm-verify", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Drive the stack, look, judge and report.
    Run(Box<RunArguments>),
    /// List clauses and the scenarios that cover them; touches nothing.
    List(ListArguments),
    /// Say what a criterion or clause asks for.
    Explain {
        /// A criterion or clause, such as AC-lgtm-001-02 or AC-lgtm-001-02/grpc.
        id: String,
    },
    /// Report a recorded run again, or several in one matrix.
    Report(ReportArguments),
    /// Judge a recorded run again, from its stored observations alone.
    Recheck {
        /// The run's folder; the newest one below --runs if none is given.
        run: Option<PathBuf>,
        #[command(flatten)]
        runs: RunsFolder,
    },
    /// Print the records in a stored object, one a line.
    Inspect(InspectArguments),
    /// Say what this machine has of what is needed.
    Doctor,
    /// Break the stack on purpose, one way at a time, and see that exactly the clauses concerned are not passed.
    Prove(ProveArguments),
    /// Build, start, show or end the local stack.
    #[command(subcommand)]
    Stack(StackCommand),
    /// Make, show or remove a kind cluster with the stack in it.
    #[command(subcommand)]
    Kind(KindCommand),
    /// List the runs that are kept in a bucket, or fetch one into --runs.
    Fetch(FetchArguments),
    /// Print the manifests of the nightly jobs; the same text removes them.
    Manifests(ManifestArguments),
    /// Make an image of this harness in Docker, and print its reference.
    Image,
    /// Serve as Loki's gateway; what runs in the cluster.
    #[command(hide = true)]
    Gateway(GatewayArguments),
}

#[derive(Args)]
struct Selecting {
    /// Criteria, by id.
    #[arg(long = "ac", value_name = "ID")]
    criteria: Vec<String>,
    /// Clauses, by id.
    #[arg(long = "clause", value_name = "ID")]
    clauses: Vec<String>,
    /// Tags.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Pipelines.
    #[arg(long = "signal", value_name = "SIGNAL")]
    signals: Vec<SignalArgument>,
    /// Parts of clause ids.
    #[arg(value_name = "SUBSTRING")]
    substrings: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SignalArgument {
    Logs,
    Traces,
    Metrics,
}

impl From<Selecting> for Filter {
    fn from(selecting: Selecting) -> Self {
        let signal = |signal| match signal {
            SignalArgument::Logs => Signal::Logs,
            SignalArgument::Traces => Signal::Traces,
            SignalArgument::Metrics => Signal::Metrics,
        };
        Self {
            criteria: selecting.criteria,
            clauses: selecting.clauses,
            tags: selecting.tags,
            signals: selecting.signals.into_iter().map(signal).collect(),
            substrings: selecting.substrings,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum TargetArgument {
    /// Real servers as processes of this machine.
    Local,
    /// Real servers as containers of this machine's Docker, made for the run and gone with it.
    Containers,
    /// The stack in the kind cluster of `kind up`.
    Kind,
    /// The stack in any Kubernetes cluster: the one of --context, or the one that this runs in.
    Cluster,
    /// The files that the stack is deployed from; nothing runs.
    Tree,
}

#[derive(Args)]
struct TreeArguments {
    /// The folder of the tree, which has apps/monitoring; for target tree.
    #[arg(long, env = "LGTM_VERIFY_TREE", default_value = "kubernetes", value_name = "DIR")]
    path: PathBuf,
    /// The age key that opens the tree's secrets. If none is given, the one that the tree has for tests, else the one that SOPS itself would
    /// use (SOPS_AGE_KEY_FILE).
    #[arg(long, value_name = "FILE")]
    age_key: Option<PathBuf>,
}

#[derive(Args)]
struct ClusterArguments {
    /// Where the cluster is told; in a pod of the cluster itself none is needed.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context.
    #[arg(long)]
    context: Option<String>,
    /// The namespace of the stack.
    #[arg(long, env = "LGTM_VERIFY_NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
    /// A cluster that may be written to, by the UID of its namespace kube-system; any other is refused.
    #[arg(long = "allow-cluster", env = "LGTM_VERIFY_CLUSTERS", value_delimiter = ',', value_name = "UID")]
    allowed: Vec<String>,
    /// The certificate and private key, as PEM, that the rows of the API matrix are shown where they ask for mutual TLS.
    #[arg(long, env = "LGTM_VERIFY_CLIENT_IDENTITY", value_name = "FILE")]
    client_identity: Option<IdentityFile>,
}

/// A client's identity, read from a file.
#[derive(Clone)]
struct IdentityFile(Identity);

impl FromStr for IdentityFile {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let pem = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Identity::from_pem(&pem).map(Self).map_err(|error| format!("{path}: {error}"))
    }
}

impl ClusterArguments {
    fn options(self, endpoints: Vec<EndpointOverride>) -> ClusterOptions {
        let from = match self.kubeconfig {
            Some(kubeconfig) => {
                ClusterFrom::Outside { kubeconfig, context: self.context, allowed: self.allowed.into_iter().collect() }
            }
            None => ClusterFrom::Inside,
        };
        ClusterOptions {
            target: Target::Cluster,
            from,
            namespace: self.namespace,
            endpoints,
            cache: None,
            identity: self.client_identity.map(|IdentityFile(identity)| identity),
        }
    }
}

#[derive(Args)]
struct StackArguments {
    /// The stack's timers: fast or deployed.
    #[arg(long, env = "LGTM_VERIFY_PROFILE", default_value = "fast")]
    profile: Profile,
    /// Change the stack's configuration, such as loki.ingester.chunk_idle_period=10m.
    #[arg(long = "set", value_name = "COMPONENT.PATH=VALUE")]
    overrides: Vec<Override>,
    /// Listen on the design's ports instead of free ones.
    #[arg(long)]
    design_ports: bool,
}

#[derive(Args)]
struct ImageArguments {
    /// Where images come from: built (the servers built here, without a registry) or pulled.
    #[arg(long, env = "LGTM_VERIFY_IMAGES", default_value = "built")]
    images: ImageSource,
    /// A mirror to put before the names of pulled images.
    #[arg(long, env = "LGTM_VERIFY_IMAGE_PREFIX", value_name = "PREFIX")]
    image_prefix: Option<String>,
}

#[derive(Args)]
struct RunsFolder {
    /// The folder that holds the folders of runs.
    #[arg(long, env = "LGTM_VERIFY_RUNS", default_value = "reports/runs")]
    runs: PathBuf,
}

#[derive(Args)]
struct RunArguments {
    #[command(flatten)]
    selecting: Selecting,
    /// Where the stack is.
    #[arg(long, env = "LGTM_TARGET", default_value = "local")]
    target: TargetArgument,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    tree: TreeArguments,
    #[command(flatten)]
    stack: StackArguments,
    #[command(flatten)]
    images: ImageArguments,
    /// Use another address for a role, such as loki=http://127.0.0.1:4000.
    #[arg(long = "endpoint", value_name = "ROLE=URL")]
    endpoints: Vec<EndpointOverride>,
    /// How long loads last; what passes under less than 60 is marked.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    load_seconds: u32,
    /// Replay the stimuli of an earlier run.
    #[arg(long, env = "LGTM_VERIFY_SEED")]
    seed: Option<u64>,
    /// Time fewer answers, which support a smaller claim: 95 % of answers instead of 99 %.
    #[arg(long, env = "LGTM_VERIFY_QUICK")]
    quick: bool,
    #[command(flatten)]
    runs: RunsFolder,
    /// Write a report: json=PATH, junit=PATH or md=PATH.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    reports: Vec<ReportTarget>,
    /// Keep the run's folder in a bucket of the stack's store when the run ends, however it ends.
    #[arg(long, value_name = "BUCKET")]
    keep: Option<String>,
}

#[derive(Args)]
struct FetchArguments {
    /// The run's id; lists what there is if none is given.
    run: Option<String>,
    /// The bucket, in the store of the stack.
    #[arg(long, value_name = "s3://BUCKET", default_value = "s3://lgtm-verify-results")]
    from: KeptRuns,
    /// Where the stack is.
    #[arg(long, env = "LGTM_TARGET", default_value = "local")]
    target: TargetArgument,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    runs: RunsFolder,
}

#[derive(Args)]
struct ManifestArguments {
    /// The namespace of the stack.
    #[arg(long, env = "LGTM_VERIFY_NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
    /// The image of the harness, as `lgtm-verify image` prints it or as a registry knows it.
    #[arg(long)]
    image: String,
    /// When a job runs, as cron has it; of all jobs if none is named.
    #[arg(long = "schedule", value_name = "[JOB=]CRON")]
    schedules: Vec<PerJob>,
    /// The tag of the scenarios that a job runs.
    #[arg(long = "tag", value_name = "[JOB=]TAG")]
    tags: Vec<PerJob>,
    /// When the node asks a registry for the image: Always, IfNotPresent or Never.
    #[arg(long, default_value = "IfNotPresent", value_name = "POLICY")]
    pull_policy: PullPolicy,
}

#[derive(Args)]
struct ListArguments {
    #[command(flatten)]
    selecting: Selecting,
    /// How to print.
    #[arg(long, default_value = "text")]
    format: FormatArgument,
    /// Print the lock of the criteria with new revisions appended, to be stored as scenarios/criteria/criteria.lock.
    #[arg(long)]
    accept: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArgument {
    Text,
    Json,
}

#[derive(Args)]
struct ReportArguments {
    /// The run's folder; the newest one below --runs if none is given. Several make one matrix, clause by target.
    #[arg(value_name = "RUN")]
    named: Vec<PathBuf>,
    #[command(flatten)]
    runs: RunsFolder,
    /// Write a report: json=PATH, md=PATH or, of one run, junit=PATH.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    reports: Vec<ReportTarget>,
}

#[derive(Args)]
struct InspectArguments {
    /// What wrote it: loki, tempo or mimir.
    kind: cli::inspect::Kind,
    /// A file or folder, or s3://BUCKET/KEY in the store of the stack that is up.
    object: String,
}

#[derive(Args)]
struct ProveArguments {
    /// Sabotages, by name; all if none is given.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How many stacks are broken at the same time.
    #[arg(long, default_value = "2")]
    jobs: NonZeroUsize,
    #[command(flatten)]
    runs: RunsFolder,
}

#[derive(Subcommand)]
enum StackCommand {
    /// Build the servers that are not built yet.
    Build,
    /// Start the whole stack and leave it up.
    Up(StackArguments),
    /// Show the stack.
    Status,
    /// End the stack and remove its data.
    Down {
        /// Keep the servers' logs.
        #[arg(long)]
        keep_logs: bool,
    },
    /// Own a stack's servers; started by `up` and `run`.
    #[command(hide = true)]
    Supervise {
        /// The stack's folder.
        #[arg(long)]
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum KindCommand {
    /// Make the cluster, or bring the one that is up to what is wanted.
    Up(KindArguments),
    /// Show how every part of it stands.
    Status,
    /// Remove the cluster and everything that is known about it.
    Down,
}

#[derive(Args)]
struct KindArguments {
    /// The cluster's name.
    #[arg(long, env = "LGTM_VERIFY_KIND_CLUSTER", default_value = "lgtm-verify")]
    name: String,
    /// The stack's timers: fast or deployed.
    #[arg(long, env = "LGTM_VERIFY_PROFILE", default_value = "fast")]
    profile: Profile,
    #[command(flatten)]
    images: ImageArguments,
    /// When the node asks a registry: Always, IfNotPresent or Never.
    #[arg(long, env = "LGTM_VERIFY_IMAGE_PULL_POLICY", value_name = "POLICY")]
    image_pull_policy: Option<PullPolicy>,
    /// The image of the node, instead of kind's own.
    #[arg(long, env = "LGTM_VERIFY_NODE_IMAGE", value_name = "IMAGE")]
    node_image: Option<String>,
}

#[derive(Args)]
struct GatewayArguments {
    /// Where it serves HTTP.
    #[arg(long)]
    http: SocketAddr,
    /// Where it serves gRPC.
    #[arg(long)]
    grpc: SocketAddr,
    /// The host of the write process.
    #[arg(long)]
    write: String,
    /// The host of the read process.
    #[arg(long)]
    read: String,
    /// The host of the backend process.
    #[arg(long)]
    backend: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            let status = error.downcast_ref::<CliError>().map_or(ExitStatus::Bug, CliError::exit_status);
            ExitCode::from(status.code())
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Run(arguments) => run(*arguments),
        Command::List(arguments) if arguments.accept => print(&cli::accept()?),
        Command::List(arguments) => {
            let format = match arguments.format {
                FormatArgument::Text => ListFormat::Text,
                FormatArgument::Json => ListFormat::Json,
            };
            print(&cli::list(&arguments.selecting.into(), format)?)
        }
        Command::Explain { id } => print(&cli::explain(&id)?),
        Command::Report(arguments) => report(&arguments),
        Command::Recheck { run, runs } => match cli::recheck(&run_folder(run, &runs)?)? {
            Ok(text) => print(&text),
            Err(text) => {
                print(&text)?;
                Ok(ExitStatus::Failed)
            }
        },
        Command::Inspect(arguments) => inspect(&arguments),
        Command::Doctor => {
            let (text, fine) = cli::doctor(&folders()?);
            print(&text)?;
            Ok(if fine { ExitStatus::Passed } else { ExitStatus::SetUpRefused })
        }
        Command::Prove(arguments) => prove(arguments),
        Command::Stack(command) => stack(command),
        Command::Kind(command) => kind(command),
        Command::Fetch(arguments) => fetch(arguments),
        Command::Manifests(arguments) => print(&cli::manifests(&Nightly {
            namespace: arguments.namespace,
            image: arguments.image,
            pull_policy: arguments.pull_policy,
            schedules: PerJob::spread(arguments.schedules),
            tags: PerJob::spread(arguments.tags),
        })?),
        Command::Image => {
            let program = std::env::current_exe().context("this program's own path")?;
            print(&(threads()?.block_on(cli::image(&program))? + "\n"))
        }
        Command::Gateway(GatewayArguments { http, grpc, write, read, backend }) => {
            let gateway = Gateway { http, grpc, write, read, backend };
            threads()?.block_on(cli::serve_gateway(gateway, Interruption::listen()?.comes()))?;
            Ok(ExitStatus::Passed)
        }
    }
}

fn run(arguments: RunArguments) -> anyhow::Result<ExitStatus> {
    let RunArguments { target, stack, images, cluster, endpoints, tree, .. } = arguments;
    let place = place(target, stack, images, cluster, tree, endpoints)?;
    let options = RunOptions {
        filter: arguments.selecting.into(),
        place,
        load_lasts: Duration::from_secs(arguments.load_seconds.into()),
        seed: arguments.seed,
        plan: if arguments.quick { Plan::QUICK } else { Plan::FULL },
        runs: arguments.runs.runs,
        reports: arguments.reports,
        keep: arguments.keep,
    };
    let terminal = std::io::stderr().is_terminal();
    let watcher = Arc::new(RunProgress::new(terminal));
    let building = BuildProgress::new(terminal);
    let announce = |info: &harness_core::record::RunInfo, folder: &std::path::Path| {
        anstream::eprintln!("run {} (seed {}), recorded in {}", info.id, info.seed, folder.display());
    };
    let interruption = Interruption::listen()?;
    let ended = threads()?.block_on(cli::run(&options, watcher, &building, announce, &interruption));
    let ended = ended.and_then(|(report, status)| {
        summarise(&report)?;
        Ok(status)
    });
    // A pod that has ended cannot be asked any more.
    if let Some(peak) = cli::peak_memory().filter(|_| options.keep.is_some()) {
        anstream::eprintln!("peak memory {} MiB", peak.div_ceil(1024));
    }
    Ok(ended?)
}

fn place(
    target: TargetArgument,
    stack: StackArguments,
    images: ImageArguments,
    cluster: ClusterArguments,
    tree: TreeArguments,
    endpoints: Vec<EndpointOverride>,
) -> anyhow::Result<Place> {
    Ok(match target {
        TargetArgument::Tree => Place::Tree(TreeOptions {
            path: tree.path,
            key: tree.age_key,
            own_key: std::env::var_os("SOPS_AGE_KEY_FILE").map(PathBuf::from),
        }),
        TargetArgument::Local => Place::Local(LocalOptions { endpoints, ..local_options(stack)? }),
        TargetArgument::Containers => Place::Containers(ContainersOptions {
            folders: folders()?,
            profile: stack.profile,
            overrides: stack.overrides,
            endpoints,
            design_ports: stack.design_ports,
            images: images.images,
            image_prefix: images.image_prefix,
        }),
        TargetArgument::Kind => Place::Cluster(ClusterOptions::of_kind(&folders()?, endpoints)?),
        TargetArgument::Cluster => Place::Cluster(cluster.options(endpoints)),
    })
}

fn fetch(arguments: FetchArguments) -> anyhow::Result<ExitStatus> {
    let stack = StackArguments { profile: Profile::Fast, overrides: Vec::new(), design_ports: false };
    let images = ImageArguments { images: ImageSource::Built, image_prefix: None };
    let tree = TreeArguments { path: PathBuf::new(), age_key: None };
    let place = place(arguments.target, stack, images, arguments.cluster, tree, Vec::new())?;
    let interruption = Interruption::listen()?;
    let (from, runs) = (&arguments.from, &arguments.runs.runs);
    match &arguments.run {
        None => print(&threads()?.block_on(cli::list_kept(from, &place, &interruption))?),
        Some(id) => {
            let folder = threads()?.block_on(cli::fetch(id, from, &place, runs, &interruption))?;
            print(&format!("{}\n", folder.display()))
        }
    }
}

fn report(arguments: &ReportArguments) -> anyhow::Result<ExitStatus> {
    let named = cli::distinct_runs(&arguments.named);
    if named.len() > 1 {
        let (matrix, status) = cli::matrix(&named, &arguments.reports)?;
        anstream::eprint!("{}", matrix_terminal(&matrix, STYLE));
        return Ok(status);
    }
    let run = run_folder(named.into_iter().next(), &arguments.runs)?;
    let (report, status) = cli::report(&run, &arguments.reports)?;
    summarise(&report)?;
    Ok(status)
}

fn prove(arguments: ProveArguments) -> anyhow::Result<ExitStatus> {
    let stack = StackArguments { profile: Profile::Fast, overrides: Vec::new(), design_ports: false };
    let options = ProveOptions {
        names: arguments.names,
        jobs: arguments.jobs.get(),
        local: local_options(stack)?,
        runs: arguments.runs.runs,
    };
    let interruption = Interruption::listen()?;
    let proofs = threads()?.block_on(cli::prove(&options, &interruption))?;
    anstream::eprint!("{}", cli::describe_proofs(&proofs));
    Ok(cli::prove_status(&proofs))
}

fn threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn inspect(arguments: &InspectArguments) -> anyhow::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let source = runtime.block_on(cli::inspect_source(&arguments.object, &folders()?))?;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let summary = match runtime.block_on(cli::inspect::inspect(arguments.kind, &source, &mut output)) {
        // Whoever reads has read enough.
        Err(InspectError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            return Ok(ExitStatus::Passed);
        }
        result => result.map_err(CliError::from)?,
    };
    output.flush().context("standard output")?;
    anstream::eprintln!("{summary}");
    Ok(ExitStatus::Passed)
}

fn stack(command: StackCommand) -> anyhow::Result<ExitStatus> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let clock = SystemClock::start();
    let building = BuildProgress::new(std::io::stderr().is_terminal());
    match command {
        StackCommand::Build => {
            let arguments = StackArguments { profile: Profile::Fast, overrides: Vec::new(), design_ports: false };
            let (options, interruption) = (local_options(arguments)?, Interruption::listen()?);
            let built = runtime()?.block_on(cli::stack_build(&options, &clock, &building, &interruption))?;
            print(&(built.join("\n") + "\n"))
        }
        StackCommand::Up(arguments) => {
            let (options, interruption) = (local_options(arguments)?, Interruption::listen()?);
            print(&runtime()?.block_on(cli::stack_up(&options, &clock, &building, &interruption))?)
        }
        StackCommand::Status => match cli::stack_status(&folders()?)? {
            Some(text) => print(&text),
            None => {
                anstream::eprintln!("no stack is up");
                Ok(ExitStatus::NothingSelected)
            }
        },
        StackCommand::Down { keep_logs } => {
            anstream::eprintln!("{}", runtime()?.block_on(cli::stack_down(&folders()?, keep_logs, &clock))?);
            Ok(ExitStatus::Passed)
        }
        StackCommand::Supervise { folder } => {
            harness_adapters::targets::local::supervise(&folder)?;
            Ok(ExitStatus::Passed)
        }
    }
}

fn kind(command: KindCommand) -> anyhow::Result<ExitStatus> {
    match command {
        KindCommand::Up(arguments) => {
            let spec = KindSpec {
                name: arguments.name,
                profile: arguments.profile,
                images: arguments.images.images,
                image_prefix: arguments.images.image_prefix,
                pull_policy: arguments.image_pull_policy,
                node_image: arguments.node_image,
                program: std::env::current_exe().context("this program's own path")?,
            };
            let progress = BuildProgress::new(std::io::stderr().is_terminal());
            let (folders, clock, interruption) = (folders()?, SystemClock::start(), Interruption::listen()?);
            print(&threads()?.block_on(cli::kind_up(&spec, &folders, &clock, &progress, &interruption))?)
        }
        KindCommand::Status => {
            let (text, ready) = threads()?.block_on(cli::kind_status(&folders()?))?;
            print(&text)?;
            Ok(if ready { ExitStatus::Passed } else { ExitStatus::SetUpRefused })
        }
        KindCommand::Down => {
            anstream::eprintln!("{}", threads()?.block_on(cli::kind_down(&folders()?))?);
            Ok(ExitStatus::Passed)
        }
    }
}

fn local_options(arguments: StackArguments) -> anyhow::Result<LocalOptions> {
    Ok(LocalOptions {
        folders: folders()?,
        profile: arguments.profile,
        overrides: arguments.overrides,
        endpoints: Vec::new(),
        interposer: None,
        design_ports: arguments.design_ports,
        program: std::env::current_exe().context("this program's own path")?,
    })
}

fn folders() -> Result<Folders, CliError> {
    Folders::from_environment().map_err(|error| CliError::Usage(error.to_string()))
}

fn run_folder(run: Option<PathBuf>, runs: &RunsFolder) -> Result<PathBuf, CliError> {
    run.or_else(|| cli::newest_run(&runs.runs))
        .ok_or_else(|| CliError::Usage(format!("no run was recorded below {}", runs.runs.display())))
}

/// How reports are written where the terminal's own width is not known to be larger. Colours are taken out again where standard error
/// is no terminal or does not want them.
const STYLE: Style = Style { width: 110, colour: Colour::Always };

fn summarise(report: &Report) -> Result<(), CliError> {
    anstream::eprint!("{}{}", terminal(report, STYLE), cli::expectations(report)?);
    Ok(())
}

fn print(text: &str) -> anyhow::Result<ExitStatus> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitStatus::Passed),
        result => result.map(|()| ExitStatus::Passed).context("standard output"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_manifests_of_the_nightly_jobs_are_understood() {
        let manifest = include_str!("../../../nightly/jobs.yaml");
        let line = manifest.lines().find_map(|line| line.trim().strip_prefix("args: [")?.strip_suffix(']')).unwrap();
        let words: Vec<&str> = line.split(", ").collect();
        let understood = |words: &[&str]| Cli::try_parse_from(std::iter::once(&"lgtm-verify").chain(words)).is_ok();
        assert!(understood(&words), "{words:?}");
        assert!(!understood(&words[..words.len() - 1]), "{words:?}");
    }

    #[test]
    fn the_manifest_of_loki_s_gateway_is_understood() {
        let manifest = include_str!("../../../kind/loki.yaml");
        let words: Vec<&str> = manifest
            .lines()
            .map(|line| line.trim().trim_start_matches("- "))
            .skip_while(|word| *word != "gateway")
            .take_while(|word| *word != "ports:")
            .collect();
        let understood = |words: &[&str]| Cli::try_parse_from(std::iter::once(&"lgtm-verify").chain(words)).is_ok();
        assert!(understood(&words), "{words:?}");
        assert!(!understood(&words[..words.len() - 1]), "{words:?}");
    }
}
