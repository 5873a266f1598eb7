//! The scenarios and what drives them from outside: command line and acceptance run. Must not know an address or a client.
