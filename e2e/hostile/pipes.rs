//! A very large file, a reader that closes the pipe, and empty standard input.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::{right, run, shown, snapshot};

#[test]
fn a_file_of_200_megabytes_is_checked() {
    const BYTES: usize = 200_000_000;
    let directory = TempDir::new().unwrap();
    let mut writer = BufWriter::new(File::create(directory.path().join("large.yaml")).unwrap());
    let (mut written, mut count) = (0, 0);
    while written < BYTES {
        let document = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: price-list-{count}\ndata:\n  prices: |\n    apple 1.20\n    plum 0.80\n---\n"
        );
        writer.write_all(document.as_bytes()).unwrap();
        (written, count) = (written + document.len(), count + 1);
    }
    writer.write_all(right().replace("replicas: 1", "replicas: 2").as_bytes()).unwrap();
    writer.flush().unwrap();
    drop(writer);
    let start = Instant::now();
    let ran = run(directory.path(), &["large.yaml"]);
    // Standard error directly, because the test harness captures prints.
    let _ = writeln!(std::io::stderr(), "200 MB, {count} documents: {:.1} s", start.elapsed().as_secs_f32());
    assert_eq!(ran.code, 1, "{}", ran.output);
    assert!(ran.output.contains(&format!("in 1 workload ({} objects, 1 file)", count + 3)), "{}", ran.output);
}

#[test]
fn a_reader_that_closes_the_pipe_is_not_an_error() {
    let directory = TempDir::new().unwrap();
    let wrong = right().replace("replicas: 1", "replicas: 2");
    let many: String =
        (0..2000).map(|number| wrong.replace("harbour-sensors", &format!("harbour-{number}")) + "---\n").collect();
    fs::write(directory.path().join("many.yaml"), many).unwrap();
    for format in ["human", "json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.current_dir(directory.path()).args(["lint", "--format", format, "many.yaml"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // Reads one line and closes the pipe.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(stderr, "", "{format}");
        assert!(matches!(status.code(), Some(0 | 1)), "{format}: {status}");
    }
}

#[test]
fn empty_standard_input_is_nothing_to_check() {
    let directory = TempDir::new().unwrap();
    let ran = run(directory.path(), &["-"]);
    assert_eq!(ran.code, 3, "{}", ran.output);
    snapshot("nothing-on-standard-input", &shown(directory.path(), &ran));
}
