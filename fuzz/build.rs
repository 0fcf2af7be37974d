//! Tells the linker where libtorch and libmujoco lie, so that what is built here runs without
//! environment variables. Cargo does not pass link arguments on to dependents, hence this file in
//! every package that makes an executable or a test.

fn main() {
    for (variable, folder) in [("LIBTORCH", "/lib"), ("MUJOCO_DYNAMIC_LINK_DIR", "")] {
        println!("cargo::rerun-if-env-changed={variable}");
        if let Ok(path) = std::env::var(variable) {
            println!("cargo::rustc-link-arg=-Wl,-rpath,{path}{folder}");
        }
    }
}
