mod logging;
mod secret_key;
mod settings;

fn main() {}
