//! The environment variables of SQL Server on Linux that rules read, and the configuration file that they override
//! (<https://learn.microsoft.com/sql/linux/sql-server-linux-configure-environment-variables>).

/// Accepts the license. Every product requires it; it also marks containers with unknown images.
pub const EULA: &str = "ACCEPT_EULA";
/// The password of `sa`.
pub const PASSWORD: &str = "MSSQL_SA_PASSWORD";
/// The former name of [`PASSWORD`].
pub const FORMER_PASSWORD: &str = "SA_PASSWORD";
/// The edition, or a product key.
pub const EDITION: &str = "MSSQL_PID";
/// The directory of new databases.
pub const DATA_DIRECTORY: &str = "MSSQL_DATA_DIR";
/// The directory of the logs of new databases.
pub const LOG_DIRECTORY: &str = "MSSQL_LOG_DIR";
/// The file of the database `master`.
pub const MASTER_DATA_FILE: &str = "MSSQL_MASTER_DATA_FILE";
/// The file of its log.
pub const MASTER_LOG_FILE: &str = "MSSQL_MASTER_LOG_FILE";
/// Switches availability groups on.
pub const HADR: &str = "MSSQL_ENABLE_HADR";
/// The most memory that it takes, in MiB.
pub const MEMORY_LIMIT: &str = "MSSQL_MEMORY_LIMIT_MB";
/// The address on which it listens; every one by default.
pub const IP_ADDRESS: &str = "MSSQL_IP_ADDRESS";
/// The TCP port on which it listens.
pub const TCP_PORT: &str = "MSSQL_TCP_PORT";

/// The configuration file, whose settings some variables override.
pub const CONF_FILE: &str = "/var/opt/mssql/mssql.conf";

/// The field that is added to the mount of such a file in a copy of a workload, once the file is read.
pub const CONF_IS_READ: &str = "mssql.conf";
