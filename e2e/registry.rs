//! Policies in registries, with the distribution registry.

mod artifact;
mod command;
mod credentials;
mod damage;
mod errors;
mod inspect;
mod installed;
mod proxy;
mod scripted;
mod serve;
mod server;

pub(crate) use server::Registry;
