fn main() {
    println!("pptp-server {}", env!("CARGO_PKG_VERSION"));
}
