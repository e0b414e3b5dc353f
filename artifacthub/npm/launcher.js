#!/usr/bin/env node
// Runs the program in the package of this platform, which npm installs as an optional dependency.
"use strict";

const { spawnSync } = require("node:child_process");
const { constants } = require("node:os");

const platform = `${process.platform}-${process.arch}`;

function program() {
  const suffix = process.platform === "win32" ? ".exe" : "";
  try {
    return require.resolve(`@sqledge-ha/${platform}/sqledge-ha${suffix}`);
  } catch {
    const supported = Object.keys(require("./package.json").optionalDependencies).map((name) => name.split("/")[1]);
    const reason = supported.includes(platform)
      ? `the package @sqledge-ha/${platform} is not installed; install again without --omit=optional`
      : `there is no program for ${platform}, only for ${supported.join(", ")}; to build it, install a Rust toolchain from ` +
        "https://rustup.rs, and run `cargo install --locked --no-default-features " +
        "--git https://github.com/sqledge-ha/sqledge-ha sqledge-ha`";
    console.error(`error: ${reason}`);
    process.exit(2);
  }
}

const { status, signal, error } = spawnSync(program(), process.argv.slice(2), { stdio: "inherit" });
if (error) {
  console.error(`error: ${error.message}`);
}
process.exit(signal ? 128 + constants.signals[signal] : (status ?? 2));
