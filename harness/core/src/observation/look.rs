use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Evidence, Question};
use crate::{
    ports::{Component, Doorstep, Interface, Presented, Principal, Reader, ShownCertificate, StoreKeys, Tick, Usage},
    secret::Form,
    signal::{Labels, Signal},
    stimulus::load::LoadPlan,
    tree::{Alteration, Question as TreeQuestion},
};

/// Facts by name, as JSON values.
pub type Facts = BTreeMap<String, serde_json::Value>;

/// By which way a record was looked for. Two ways that do not share a cause of error are two oracles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oracle {
    /// Decoded out of objects in the bucket.
    Objects,
    /// Answered by the query API, wherever the answer came from.
    Query,
    /// Answered by PromQL's engine, which tells less of a sample than was stored (see
    /// [`crate::signal::Sample::told_by_promql`]).
    Promql,
    /// Answered by a reader that cannot ask an ingester.
    StoreOnly,
    /// Listed by the index objects in the bucket.
    Index,
    /// Read off the state of buckets, configuration or processes.
    State,
    /// Counted by the query API, in answer to the questions whose answers are timed.
    Counts,
}

impl Oracle {
    /// The words for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Objects => "the objects in the bucket",
            Self::Query => "the query API",
            Self::Promql => "PromQL",
            Self::StoreOnly => "the store-only reader",
            Self::Index => "the index objects in the bucket",
            Self::State => "the stack's own state",
            Self::Counts => "the questions that are timed",
        }
    }
}

/// What is looked at, said once and looked at many times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "kebab-case")]
pub enum Look {
    /// Log entries of matching streams, decoded out of chunk objects.
    LogChunks {
        /// The bucket.
        bucket: String,
        /// Labels that a stream must have.
        selector: Labels,
        /// Chunks that end before this many milliseconds since the Unix epoch are left alone.
        since_ms: i64,
    },
    /// Log entries of those chunks of matching streams that an index object lists.
    IndexedLogChunks {
        /// The bucket.
        bucket: String,
        /// Labels that a stream must have.
        selector: Labels,
        /// Chunks that end before this many milliseconds since the Unix epoch are left alone.
        since_ms: i64,
    },
    /// Log entries of matching streams, by query.
    LogQuery {
        /// Labels that a stream must have.
        selector: Labels,
        /// First nanosecond, inclusive.
        start_ns: i64,
        /// Last nanosecond, exclusive.
        end_ns: i64,
        /// Whether the reader that cannot ask an ingester is asked.
        store_only: bool,
    },
    /// Spans of these traces, decoded out of blocks whose `meta.json` exists.
    TraceBlocks {
        /// The bucket.
        bucket: String,
        /// 32 lowercase hex digits each.
        trace_ids: Vec<String>,
        /// Blocks that end before this many seconds since the Unix epoch are left alone.
        since_s: i64,
        /// Whether only blocks are read that a compaction made.
        #[serde(default)]
        compacted: bool,
    },
    /// Spans of these traces, by query.
    TraceQuery {
        /// 32 lowercase hex digits each.
        trace_ids: Vec<String>,
        /// Whether only blocks of the backend are asked.
        store_only: bool,
    },
    /// Samples of matching series, decoded out of blocks whose `meta.json` exists.
    SampleBlocks {
        /// The bucket.
        bucket: String,
        /// Labels that a series must have.
        selector: Labels,
        /// Blocks that end before this many milliseconds since the Unix epoch are left alone.
        since_ms: i64,
        /// Whether only blocks are read that a compaction made.
        #[serde(default)]
        compacted: bool,
    },
    /// Which records of a load are in the objects of a bucket, and whether as they were sent.
    Load {
        /// The bucket.
        bucket: String,
        /// The load.
        plan: LoadPlan,
    },
    /// Samples of matching series, by remote read.
    SampleQuery {
        /// Labels that a series must have.
        selector: Labels,
        /// First millisecond, inclusive.
        start_ms: i64,
        /// Last millisecond, inclusive.
        end_ms: i64,
    },
    /// Samples of matching series, by PromQL.
    PromqlQuery {
        /// Labels that a series must have.
        selector: Labels,
        /// First millisecond, inclusive.
        start_ms: i64,
        /// Last millisecond, inclusive.
        end_ms: i64,
    },
    /// A question whose answers are timed, asked once.
    Asked {
        /// The question.
        question: Question,
    },
    /// Which caches of answers and data a component says that it has.
    Caches {
        /// The pipeline by whose settings the configuration is read.
        signal: Signal,
        /// The component that answers queries.
        component: Component,
    },
    /// Whose keys a bucket holds, and which bucket its component says that it uses.
    BucketUse {
        /// The bucket.
        bucket: String,
        /// The component that should be alone in it.
        component: Component,
        /// The other buckets of the stack, where this component should keep nothing.
        others: Vec<String>,
    },
    /// Whether a bucket keeps the versions of an overwritten and deleted key.
    BucketVersions {
        /// The bucket.
        bucket: String,
        /// Key that the probe writes, overwrites and deletes.
        probe: String,
    },
    /// A bucket's lifecycle rules.
    BucketLifecycle {
        /// The bucket.
        bucket: String,
        /// Whether only the bucket's own rules count, and not what the store says that it does in every bucket by itself.
        #[serde(default)]
        rules_alone: bool,
    },
    /// How the orchestrator runs a component, and what the component logged about its store.
    Workload {
        /// The component.
        component: Component,
        /// Names of environment variables that hold credentials.
        credentials: Vec<String>,
        /// Containers that ended before this many milliseconds since the Unix epoch ended for another reason.
        #[serde(default)]
        since_ms: i64,
    },
    /// How many replicas of components are declared and there, and how often they keep what they take.
    Replicas {
        /// What is counted under one name.
        counted: Vec<Counted>,
    },
    /// Which target each component says that it runs, and with which modules.
    Modules {
        /// The role that a component should have, with the component that is asked for it.
        roles: Vec<(String, Component)>,
    },
    /// Which traces a search by attributes finds.
    TraceSearch {
        /// Attributes that one of a trace's spans must have, all of them.
        attributes: Labels,
        /// First second, inclusive.
        start_s: i64,
        /// Last second, exclusive.
        end_s: i64,
    },
    /// What components' containers are given, and how much memory their pods use.
    Resources {
        /// The component whose name the facts have, with the one that is asked for it.
        asked: Vec<(Component, Component)>,
    },
    /// How much memory processes took at most, held against limits.
    Memory {
        /// Components, each with its limit in bytes and the processes that it has.
        asked: Vec<(Component, u64, Vec<String>)>,
        /// What was measured before, where only what is used at a time can be.
        sampled: Vec<(Component, Usage)>,
    },
    /// How much buckets and local folders hold, beside what they held before.
    Storage {
        /// Buckets, each with the bytes that it held before.
        buckets: Vec<(String, u64)>,
        /// Components, each with the bytes that its folder held before.
        folders: Vec<(Component, u64)>,
        /// Bytes of content that were offered to each since.
        offered: u64,
        /// Bytes by which a folder may be larger than before.
        allowance: u64,
    },
    /// Whether a protocol of the API matrix is spoken at an address of it.
    Interface {
        /// The protocol.
        interface: Interface,
        /// The row whose address is tried.
        at: Interface,
        /// The component whose configuration is asked for the receivers that it enables, where that counts.
        receivers_of: Option<Component>,
    },
    /// Which clients are answered, by what they present.
    ClientCertificates {
        /// Where they connect.
        at: Doorstep,
        /// By which name a fact tells of a client, and what that one presents.
        clients: Vec<(Presented, Presented)>,
    },
    /// Which bucket each component is configured for, whether it is there, and whose keys and buckets are the same.
    Stores {
        /// The owners that the design names, each with its bucket and the component that is asked for it.
        asked: Vec<AskedStore>,
    },
    /// What of the deployment's files objects to a question.
    Tree {
        /// The question.
        question: TreeQuestion,
        /// Changes that are made to them in memory before.
        altered: Vec<Alteration>,
    },
    /// Whether the credentials in the secrets of the deployment's files can be read, and by whom.
    TreeSecrets {
        /// Changes that are made to the files in memory before.
        altered: Vec<Alteration>,
        /// Whether whoever has no key stands in for whoever has it, and the other way round.
        swapped: bool,
    },
    /// Which of the deployment's files has a credential of its secrets in the clear.
    TreeDisclosures {
        /// In which form a credential that nobody uses is added to each file, where it is.
        planted: Option<Form>,
    },
    /// Whose requests reach the store, at which address and for which bucket, and which addresses components are configured with.
    StoreRequests {
        /// The owners, each with its bucket and the component by whose key its requests are told.
        asked: Vec<AskedStore>,
        /// Components whose configuration is read.
        configured: Vec<Component>,
        /// The row whose address is the declared one.
        declared: Interface,
        /// How long they are listened for, milliseconds, unless each was heard before.
        lasting_ms: u64,
    },
    /// The same look, its questions put by a program of others at the address of a row of the API matrix.
    ByReader {
        /// The program.
        reader: Reader,
        /// The row.
        at: Interface,
        /// What is looked at.
        of: Box<Look>,
    },
    /// What a program of others lists in buckets, with the keys of their owners.
    Listings {
        /// The program.
        reader: Reader,
        /// The owners, each with its bucket.
        owners: Vec<(Component, String)>,
        /// Whether they sign in with their own keys.
        keys: StoreKeys,
        /// Key that the harness puts there to be listed, and removes again.
        probe: String,
    },
    /// What second processes of components make of the certificates that a store shows.
    StoreTrust {
        /// The components.
        components: Vec<Component>,
        /// What is shown to each, in turn.
        shown: Vec<ShownCertificate>,
        /// Whether they are configured for a store that speaks plain HTTP.
        plain: bool,
    },
    /// How a component's process stands, and what it has logged about its store beyond so many lines.
    Start {
        /// The component.
        component: Component,
        /// Lines that were there before.
        beyond: usize,
        /// In which circumstances it was started; the facts are told of these.
        when: String,
    },
    /// What a component has logged about its store, in one set of circumstances after the other.
    StoreErrors {
        /// The component.
        component: Component,
        /// Which lines belong to which.
        stretches: Vec<Stretch>,
    },
    /// Where credentials of the stack can be read by others than their users.
    Disclosures {
        /// Whose configuration and start is read.
        components: Vec<Component>,
        /// In which form a credential that nobody uses is added to each text that is searched, where it is.
        planted: Option<Form>,
    },
    /// What each component's credentials open.
    Access {
        /// The components that own a bucket, each with the principal that is tried for it.
        owners: Vec<(Component, Principal)>,
        /// Every bucket of the stack.
        buckets: Vec<String>,
        /// Key that the probe writes, reads and deletes.
        probe: String,
    },
}

impl Look {
    /// By which way this look sees.
    pub fn oracle(&self) -> Oracle {
        match self {
            Self::LogChunks { .. } | Self::TraceBlocks { .. } | Self::SampleBlocks { .. } | Self::Load { .. } => {
                Oracle::Objects
            }
            Self::IndexedLogChunks { .. } => Oracle::Index,
            Self::LogQuery { store_only, .. } | Self::TraceQuery { store_only, .. } => {
                if *store_only {
                    Oracle::StoreOnly
                } else {
                    Oracle::Query
                }
            }
            Self::SampleQuery { .. } => Oracle::Query,
            Self::ByReader { of, .. } => of.oracle(),
            Self::PromqlQuery { .. } => Oracle::Promql,
            Self::Asked { .. } => Oracle::Counts,
            Self::Caches { .. }
            | Self::BucketUse { .. }
            | Self::BucketVersions { .. }
            | Self::BucketLifecycle { .. }
            | Self::Workload { .. }
            | Self::Replicas { .. }
            | Self::Modules { .. }
            | Self::TraceSearch { .. }
            | Self::Resources { .. }
            | Self::Memory { .. }
            | Self::Storage { .. }
            | Self::Interface { .. }
            | Self::ClientCertificates { .. }
            | Self::Stores { .. }
            | Self::Tree { .. }
            | Self::TreeSecrets { .. }
            | Self::TreeDisclosures { .. }
            | Self::StoreRequests { .. }
            | Self::Listings { .. }
            | Self::StoreTrust { .. }
            | Self::Start { .. }
            | Self::StoreErrors { .. }
            | Self::Disclosures { .. }
            | Self::Access { .. } => Oracle::State,
        }
    }
}

/// A component that should have a bucket and a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedStore {
    /// The owner, whose name the facts have.
    pub owner: Component,
    /// Its bucket, by the design.
    pub bucket: String,
    /// Who is asked: the owner itself, or another where the check has to say no.
    pub component: Component,
}

/// A part of a log, by the number of its lines about the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The circumstances, of which the fact is told.
    pub when: String,
    /// Lines that were there before.
    pub after: usize,
    /// Lines that were there at its end, where it has one.
    pub until: Option<usize>,
}

/// Components whose replicas are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The name of the facts.
    pub name: String,
    /// The components; the first is asked for its configuration.
    pub components: Vec<Component>,
    /// The pipeline by whose settings the configuration is read for a replication factor, where there is to be one.
    pub factor_of: Option<Signal>,
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "kebab-case")]
pub enum Seen {
    /// Records, perhaps none.
    Records {
        /// Of which signal.
        signal: Signal,
        /// SHA-256 of the records as NDJSON; the run folder keeps the body under this name.
        body: String,
        /// How many.
        count: usize,
        /// Objects or parts of answers that could not be read, each with the reason.
        defects: Vec<String>,
    },
    /// Records of a load, perhaps none.
    Numbers {
        /// SHA-256 of the numbers of those that are as they were sent, as ranges; the run folder keeps the body under this name.
        body: String,
        /// How many.
        count: u64,
        /// How many streams they are in; 0 where there are no streams.
        streams: usize,
        /// How many of them were found more than once.
        doubled: u64,
        /// How many are not as they were sent.
        altered: u64,
        /// Some of those, each with what is otherwise.
        examples: Vec<String>,
        /// Objects that could not be read, each with the reason.
        defects: Vec<String>,
    },
    /// Facts.
    Facts {
        /// By name.
        facts: Facts,
    },
    /// The look itself failed.
    Unseen {
        /// Why, with the address or bucket/key.
        reason: String,
    },
}

/// One look, when it was taken, what it saw, and the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What was looked at.
    pub look: Look,
    /// When the first request was about to be sent.
    pub sent: Tick,
    /// When the last answer had arrived.
    pub received: Tick,
    /// What was seen.
    pub seen: Seen,
    /// Requests, answers, objects.
    pub evidence: Vec<Evidence>,
}

/// The name of the fact that tells how many of the records that were asked for an answer holds.
pub const FOUND: &str = "found";

/// The name of the fact that tells how many records an answer holds that were not asked for.
pub const FOREIGN: &str = "foreign";

/// The name of the fact that tells whether a program of others lists what is in `owner`'s bucket.
pub fn listing_fact(owner: Component) -> String {
    format!("{owner}.listed")
}

/// How an address is told that is the declared one.
pub const DECLARED: &str = "the declared one";

/// The name of the fact that tells for which buckets requests are signed with `owner`'s key.
pub fn asked_buckets_fact(owner: Component) -> String {
    format!("{owner}.buckets")
}

/// The name of the fact that tells at which addresses requests signed with `owner`'s key arrive.
pub fn asked_address_fact(owner: Component) -> String {
    format!("{owner}.address")
}

/// The name of the fact that tells with which addresses of a store `component` is configured.
pub fn configured_address_fact(component: Component) -> String {
    format!("{component}.configured")
}

/// The name of the fact that tells what `component` made of a store that shows `certificate`.
pub fn trust_fact(component: Component, certificate: ShownCertificate) -> String {
    format!("{component} shown {}", certificate.describe())
}

/// The name of the fact that tells whether a process that was started `when` is ready.
pub fn ready_fact(when: &str) -> String {
    format!("ready ({when})")
}

/// The name of the fact that tells by which exit code a process that was started `when` has ended by itself.
pub fn exit_code_fact(when: &str) -> String {
    format!("exit code ({when})")
}

/// The name of the fact that tells how many lines about the store were logged `when`.
pub fn store_errors_fact(when: &str) -> String {
    format!("store errors ({when})")
}

/// The places where a component's credentials are looked for, by the last part of their facts' names.
pub const DISCLOSURES: [&str; 3] = ["told", "start", "configuration"];

/// The name of the fact that tells which credentials are in one of [`DISCLOSURES`] of `component`.
pub fn disclosure_fact(component: Component, place: &str) -> String {
    format!("{component}.{place}")
}

/// The name of the fact that tells whether `owner`'s credentials may do `operation` in `bucket`.
pub fn isolation_fact(owner: Component, bucket: &str, operation: &str) -> String {
    format!("{owner}.{bucket}.{operation}")
}
