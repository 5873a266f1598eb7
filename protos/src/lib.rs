//! Wire formats written from their specifications, and the types generated from them. Depends on nothing of ours.
