//! Generates Rust types from `proto/`, without a protoc binary.

use std::{env, error::Error};

const FILES: [&str; 4] =
    ["proto/logproto.proto", "proto/prometheus.proto", "proto/status.proto", "proto/write_v2.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        .build_client(env::var_os("CARGO_FEATURE_GRPC").is_some())
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}
