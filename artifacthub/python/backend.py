"""The source package has no sources: pip takes it only where there is no wheel, and then shows this error."""

MESSAGE = (
    "there is no wheel of sqledge-ha for this platform. To build the program, install a Rust toolchain from "
    "https://rustup.rs, and run: cargo install --locked --no-default-features "
    "--git https://github.com/sqledge-ha/sqledge-ha sqledge-ha"
)


def build_wheel(*_arguments, **_options):
    raise SystemExit(MESSAGE)


get_requires_for_build_wheel = prepare_metadata_for_build_wheel = build_sdist = build_wheel
