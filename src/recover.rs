//! Releases the databases of a failed node: the taint `node.kubernetes.io/out-of-service`, and what follows.
//!
//! | file | contents |
//! |---|---|
//! | `node` | the node: whether it has failed, its pods, its taint |
//! | `progress` | what becomes of the databases |

pub mod node;
pub mod progress;
