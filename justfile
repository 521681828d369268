# Short names for the documented commands.

# Shows the recipes.
default:
    @just --list

# Starts the server on 127.0.0.1:8000.
run *arguments:
    cargo run -- {{arguments}}

# Runs all tests except those in a browser; arguments go to `cargo test`.
test *arguments:
    ./scripts/test {{arguments}}

# Runs the tests of the pages in a browser; arguments go to `cargo test`.
test-browser *arguments:
    ./scripts/test-browser {{arguments}}

# Measures the release binary under load; arguments go to the benchmark (`just bench --help`).
bench *arguments:
    ./scripts/bench {{arguments}}

# Compares the release binary with Django REST framework and PocketBase.
bench-peers *arguments:
    ./scripts/bench-peers {{arguments}}

# Checks the format and the lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Checks the workflows and the other files of .github (fetches from npm and PyPI).
lint-workflows:
    ./scripts/check-workflows

# Turns on the git hooks: format and lints before a commit, tests before a push.
hooks:
    git config core.hooksPath .githooks

# Formats the code.
fmt:
    cargo fmt --all

# Builds the code's own documentation.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Packages the crates that other services reuse, and builds them from their packages.
package:
    cargo package -p mycars-domain -p mycars-application --locked --allow-dirty

# Checks that the published crates are compatible with a revision (needs cargo-semver-checks).
semver baseline="main":
    @cargo semver-checks --version >/dev/null 2>&1 || \
        { echo "cargo-semver-checks is missing. Install it: cargo install cargo-semver-checks --locked" >&2; exit 1; }
    cargo semver-checks -p mycars-domain -p mycars-application --all-features --baseline-rev {{baseline}}

# Runs the checks of continuous integration.
ci:
    ./.ci/run

# Builds the files of a release for this machine into target/release-files.
release *tag:
    ./scripts/release {{tag}}

# Checks licences, sources and known vulnerabilities of the dependencies (installs cargo-deny).
deny:
    ./scripts/check-dependencies

# Tests the server against its OpenAPI document (fetches Schemathesis from PyPI); arguments go to `schemathesis run`.
schemathesis *arguments:
    ./scripts/schemathesis {{arguments}}

# Validates the OpenAPI document; generates and runs clients in Python and TypeScript (fetches from PyPI and npm).
client:
    ./scripts/generated-client
