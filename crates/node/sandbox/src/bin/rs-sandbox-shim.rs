//! A binary that can be nothing but a shim: for this crate's tests, whose own `main` belongs to the test harness.

fn main() {
    roadstead_runtime::shim_main_if_asked();
    eprintln!("this program is started by a container runtime under the name rs-sandbox-shim");
    std::process::exit(2);
}
