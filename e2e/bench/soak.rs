//! Sends an hour's worth of requests, to see whether memory grows: `make soak`.

use crate::load::{request, run};
use crate::process::Server;
use crate::throughput::{bodies, target};

/// A busy cluster writes a thousand objects a second.
const REQUESTS: usize = 3_600_000;
const CONNECTIONS: usize = 4;
const PARTS: usize = 20;

/// Prints the memory of the webhook after each part.
pub(crate) fn soak() {
    let server = Server::start(&[]);
    let bodies = bodies();
    // One request in a hundred runs SQL, one in ten thousand is large.
    let requests: Vec<Vec<u8>> = (0..10_000)
        .map(|number| match number {
            0 => &bodies[3],
            number if number % 100 == 0 => &bodies[1 + number / 100 % 2],
            _ => &bodies[0],
        })
        .map(|body| request(&body.text))
        .collect();
    println!("{:>10} {:>9} {:>8} {:>8} {:>5}", "requests", "req/s", "p99 ms", "max ms", "MiB");
    for part in 1..=PARTS {
        let share = REQUESTS / PARTS / CONNECTIONS;
        let mut load = run(&target(&server), CONNECTIONS, &requests, |asked| asked < share);
        let memory = server.memory();
        println!(
            "{:>10} {:>9.0} {:>8.2} {:>8.2} {memory:>5}",
            part * REQUESTS / PARTS,
            load.rate(),
            load.percentile(0.99),
            load.percentile(1.0),
        );
    }
}
