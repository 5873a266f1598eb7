//! Wire formats written from their specifications, and the types generated from them. Depends on nothing of ours.

/// Loki's push API. With feature `grpc`, [`logproto::pusher_client`] holds the client of its service.
#[cfg_attr(
    feature = "grpc",
    expect(clippy::allow_attributes_without_reason, reason = "tonic writes such an attribute into its clients")
)]
pub mod logproto {
    include!(concat!(env!("OUT_DIR"), "/logproto.rs"));
}

/// Prometheus remote write 1.0 and remote read.
pub mod prometheus {
    include!(concat!(env!("OUT_DIR"), "/prometheus.rs"));
}

/// Prometheus remote write 2.0.
pub mod write_v2 {
    include!(concat!(env!("OUT_DIR"), "/io.prometheus.write.v2.rs"));
}

/// The rich error of a gRPC call.
pub mod rpc {
    include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
}
