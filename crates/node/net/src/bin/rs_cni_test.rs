//! The plugins as executables, for tests and benchmarks: link or copy it to `ecs-eni`, `ecs-bridge` or
//! `ecs-ipam` and start it as a container runtime would. It also forwards published ports for the tests.

fn main() {
    roadstead_net::forward_main_if_asked();
    roadstead_net::cni_main_if_asked();
    eprintln!("start this under the name of a plugin: ecs-eni, ecs-bridge or ecs-ipam");
    std::process::exit(2);
}
