//! The directories of the database files, and the mounts that they are in.

use crate::engine::Engine;
use crate::engine::variables::{DATA_DIRECTORY, LOG_DIRECTORY, MASTER_DATA_FILE, MASTER_LOG_FILE};
use crate::kubernetes::environment::{Environment, Variable};
use crate::kubernetes::volumes::{Mount, effective_mount, normalized};

/// The mounts and the data directories of a database container.
#[derive(Clone, Debug)]
pub struct ContainerStorage<'a> {
    /// Its mounts.
    pub mounts: Vec<Mount<'a>>,
    /// The directories of its database files.
    pub directories: Vec<DataDirectory>,
}

impl<'a> ContainerStorage<'a> {
    /// The mounts that hold database files, each once.
    pub fn data_mounts(&self) -> Vec<&Mount<'a>> {
        let mut holding: Vec<&Mount<'a>> = Vec::new();
        for path in self.directories.iter().filter_map(|directory| directory.path.as_deref()) {
            let Some(mount) = effective_mount(&self.mounts, path) else { continue };
            if !holding.iter().any(|known| known.path == mount.path) {
                holding.push(mount);
            }
        }
        holding
    }
}

/// A directory of database files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    /// The normalized path, if the manifest shows it.
    pub path: Option<String>,
    /// The variable that sets it; `None` for the default.
    pub variable: Option<&'static str>,
}

impl DataDirectory {
    /// How a message names it. The value of a variable is never quoted.
    pub fn describe(&self) -> String {
        match (self.variable, &self.path) {
            (Some(variable), _) => variable.to_owned(),
            (None, Some(path)) => path.clone(),
            (None, None) => "the data directory".to_owned(),
        }
    }
}

/// The directories of the database files of `engine` with this environment, each path once.
pub fn data_directories(environment: &Environment<'_>, engine: &Engine) -> Vec<DataDirectory> {
    let default = || DataDirectory { path: Some(engine.data_directory.to_owned()), variable: None };
    let data = directory(environment, DATA_DIRECTORY, PathOf::Directory);
    let log = directory(environment, LOG_DIRECTORY, PathOf::Directory);
    let candidates = [
        directory(environment, MASTER_DATA_FILE, PathOf::File).unwrap_or_else(default),
        directory(environment, MASTER_LOG_FILE, PathOf::File).unwrap_or_else(default),
        log.or_else(|| data.clone()).unwrap_or_else(default),
        data.unwrap_or_else(default),
    ];
    let mut directories: Vec<DataDirectory> = Vec::new();
    for candidate in candidates {
        let is_same = |other: &DataDirectory| match other.path {
            Some(_) => other.path == candidate.path,
            None => *other == candidate,
        };
        if !directories.iter().any(is_same) {
            directories.push(candidate);
        }
    }
    directories
}

/// What a variable is the path of.
enum PathOf {
    Directory,
    File,
}

fn directory(environment: &Environment<'_>, variable: &'static str, path_of: PathOf) -> Option<DataDirectory> {
    let path = match environment.value(variable) {
        Variable::Absent => return None,
        Variable::Unresolved => None,
        Variable::Known(value) => {
            let path = normalized(&value);
            Some(match path_of {
                PathOf::Directory => path,
                PathOf::File => parent(&path).to_owned(),
            })
        }
    };
    Some(DataDirectory { path, variable: Some(variable) })
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::SQL_EDGE;
    use crate::json::cursor::Cursor;
    use crate::testing::test;

    fn directories(env: Value) -> Vec<Option<String>> {
        let container = json!({"env": env});
        let environment = Environment::new(&Cursor::root(&container));
        data_directories(&environment, &SQL_EDGE).into_iter().map(|directory| directory.path).collect()
    }

    #[test]
    fn variables_move_the_data_directories() {
        let set = |name: &str, value: &str| json!({"name": name, "value": value});
        assert_eq!(directories(json!([])), [Some(SQL_EDGE.data_directory.into())]);
        assert_eq!(
            directories(json!([set("MSSQL_DATA_DIR", "/sql//data/")])),
            [Some(SQL_EDGE.data_directory.into()), Some("/sql/data".into())]
        );
        let moved = json!([
            set("MSSQL_MASTER_DATA_FILE", "/m/master.mdf"),
            set("MSSQL_MASTER_LOG_FILE", "/m/mastlog.ldf"),
            set("MSSQL_DATA_DIR", "/d"),
            set("MSSQL_LOG_DIR", "/l")
        ]);
        assert_eq!(directories(moved), [Some("/m".into()), Some("/l".into()), Some("/d".into())]);
        let unresolved = json!([{"name": "MSSQL_DATA_DIR", "valueFrom": {"configMapKeyRef": {}}}]);
        assert_eq!(directories(unresolved), [Some(SQL_EDGE.data_directory.into()), None]);
    }
}
