//! A real MinIO goes wrong in each way there is, and whoever comes after a run that was killed in the middle finds what to mend.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{collections::BTreeMap, path::Path, time::Duration};

use harness_adapters::{
    SystemClock,
    s3::{Keys, S3},
    targets::{
        blueprint::{Profile, Role, Silent, build},
        local::{Folders, Linger, LocalStack, Selection, StackSpec, Starter, down, up},
    },
};
use harness_core::{
    poll::{Ended, Schedule, Step, until, within},
    ports::{Clock, Component, Lifecycle, Objects, PortError, Principal, StoreFault},
};

const OWNER: Component = Component::LokiWrite;

/// The store alone, with the users of everybody.
async fn store_in(folder: &Path) -> LocalStack {
    let selection = Selection { loki: false, tempo: false, mimir: false, store_reader: false };
    let folders = Folders::from_environment().unwrap();
    let clock = SystemClock::start();
    let programs = build(&selection.programs(), &folders.cache, &clock, &Silent).await.unwrap();
    let spec = StackSpec {
        profile: Profile::Fast,
        overrides: Vec::new(),
        selection,
        design_ports: false,
        linger: Linger::After(Duration::from_secs(60)),
        programs,
    };
    let starter = Starter {
        program: env!("CARGO_BIN_EXE_lgtm-verify").into(),
        args: ["stack".into(), "supervise".into(), "--folder".into(), folder.into()].to_vec(),
    };
    up(folder, &spec, &starter, &clock, &Silent).await.unwrap()
}

/// What the store says to Loki's own keys; `None` where it says nothing for two seconds.
async fn said_to_owner(stack: &LocalStack) -> Option<PortError> {
    let keys = stack.keys(OWNER);
    let keys = Keys::new(&keys.access_key_id, &keys.secret_access_key);
    let endpoint = stack.state().endpoint(Role::S3).unwrap();
    let principal = Principal::Component(OWNER);
    let store = S3::new(endpoint, "us-east-1", stack.authority(), BTreeMap::from([(principal, keys)])).unwrap();
    let clock = SystemClock::start();
    let asked = store.get(principal, "loki-chunks", "no such key");
    within(&clock, clock.now().after(Duration::from_secs(2)), asked).await.map(Result::unwrap_err)
}

fn shows(fault: StoreFault, said: Option<&PortError>) -> bool {
    match (fault, said) {
        (StoreFault::UserDisabled | StoreFault::PolicyRemoved, Some(PortError::Denied { .. }))
        | (StoreFault::Frozen, None) => true,
        (StoreFault::Unavailable, Some(PortError::Refused { reason, .. })) => reason.contains("503"),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_left_ill_is_healed_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SystemClock::start();
    let stack = store_in(folder.path()).await;
    for fault in [StoreFault::UserDisabled, StoreFault::PolicyRemoved, StoreFault::Frozen, StoreFault::Unavailable] {
        let healthy = said_to_owner(&stack).await;
        assert!(matches!(healthy, Some(PortError::NotFound { .. })), "before {fault}: {healthy:?}");

        // Whoever brings it about is never heard of again.
        let killed = LocalStack::attach(folder.path(), &clock).await.unwrap().unwrap();
        killed.inject(fault, OWNER).await.unwrap();
        drop(killed);
        let deadline = clock.now().after(Duration::from_secs(10));
        let ill = until(&clock, Schedule::default(), deadline, || async {
            let said = said_to_owner(&stack).await;
            if shows(fault, said.as_ref()) { Step::Ready(()) } else { Step::NotYet(format!("{said:?}")) }
        });
        assert_eq!(ill.await, Ended::Ready(()), "{fault}");

        let next = LocalStack::attach(folder.path(), &clock).await.unwrap().unwrap();
        next.restore().await.unwrap();
        let healed = said_to_owner(&next).await;
        assert!(matches!(healed, Some(PortError::NotFound { .. })), "after {fault}: {healed:?}");
        next.heal(fault, OWNER).await.unwrap();
    }
    drop(stack);
    down(folder.path(), false, &clock).await.unwrap();
}
