# Everything that must hold before a change is handed in: the same as CI.
verify *arguments:
    ./test {{arguments}}

# The main job on a fresh instance in a temporary folder: no keys, no network.
demo:
    cargo run --release -- demo

# Format all sources.
format:
    cargo fmt
