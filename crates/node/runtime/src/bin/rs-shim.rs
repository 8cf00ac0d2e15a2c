//! A binary that can be nothing but a shim: for tests and for whoever embeds the crate in a program whose
//! own `main` cannot call `shim_main_if_asked` first.

fn main() {
    roadstead_runtime::shim_main_if_asked();
    eprintln!("this program is started by a container runtime under the name rs-shim");
    std::process::exit(2);
}
