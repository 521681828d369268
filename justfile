# Short names for the documented commands; nothing here does more than they do.

# Shows the recipes.
default:
    @just --list

# Serves on 127.0.0.1:8000.
run *arguments:
    cargo run -- {{arguments}}

# Runs all tests but those in a browser; arguments go to `cargo test`.
test *arguments:
    ./scripts/test {{arguments}}

# Runs the tests of the pages in a browser; arguments go to `cargo test`.
test-browser *arguments:
    ./scripts/test-browser {{arguments}}

# Checks style and the lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Formats the code.
fmt:
    cargo fmt --all

# Builds the code's own documentation.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Does what continuous integration does.
ci:
    ./.ci/run

# Checks licences, sources and known vulnerabilities of the dependencies (needs cargo-deny).
deny:
    cargo deny check
