//! Policies in registries: a real registry, the real command, and everything that can go wrong between them.

mod artifact;
mod command;
mod credentials;
mod damage;
mod inspect;
mod installed;
mod refusals;
mod scripted;
mod serve;
mod server;
mod wire;

pub(crate) use server::Registry;
