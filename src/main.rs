//! The program: reads its arguments and configuration, opens everything, runs the loop, closes.

// The entry is `main` in io/sys.rs.
#![cfg_attr(not(test), no_main)]

mod io;

use std::ffi::{CStr, OsStr};
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use log::{Level, log};
use pptp::config::{Config, LogLevel, User};
use pptp::packet::Packet;
use pptp::proto::mschap;
use pptp::session::{FairQueue, Server, Sizes, Storage, Waiting};
use pptp::wire::ubus::Status;
use zeroize::Zeroize;

use crate::io::log::{error, info, warn};
use io::clock::Clock;
use io::failure::{Doing, Failure};
use io::open::Open;
use io::sys::Standard;
use io::{Next, World, open, source, sys, tun, welcome};

const USAGE: &str = "\
usage: pptp-server                    serve one account with a fresh password, which is printed
       pptp-server -c FILE            serve as FILE says (UCI format)
              ... --ubus SOCKET       with ubus at SOCKET (else /var/run/ubus/ubus.sock)
       pptp-server --check -c FILE    say what is wrong with FILE
       pptp-server nt-hash            read a password, print its NT hash (option nt_hash)
       pptp-server --version
       pptp-server --help
";

/// Octets of the longest line that `nt-hash` reads.
const PASSWORD: usize = 1024;

/// What the arguments ask for.
enum Command {
    Serve(Paths),
    Check(&'static Path),
    NtHash,
    Version,
    Help,
}

/// What the arguments name.
#[derive(Default)]
struct Paths {
    /// The configuration.
    file: Option<&'static Path>,
    /// Where ubusd listens.
    ubus: Option<&'static Path>,
}

/// Does what the arguments say; the result is the program's exit status.
fn start(arguments: impl Iterator<Item = &'static CStr>) -> u8 {
    open_standard();
    let arguments = arguments.map(|argument| OsStr::from_bytes(argument.to_bytes()));
    let Some(command) = command(arguments) else {
        io::log::say(USAGE.as_bytes());
        return 2;
    };
    let done = match command {
        Command::Serve(paths) => serve(&paths),
        Command::Check(file) => check(file),
        Command::NtHash => nt_hash(),
        Command::Version => print(concat!("pptp-server ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Help => print(USAGE),
    };
    match done {
        Ok(()) => 0,
        Err(Stop::Said) => 1,
        Err(Stop::Failed(failure)) => {
            io::log::say(format!("error: {failure}\n").as_bytes());
            1
        }
    }
}

/// Opens what is closed of standard input, output and error: else a socket could take that number,
/// and the log would go there.
fn open_standard() {
    while let Ok(file) = File::options().read(true).write(true).open("/dev/null") {
        if file.as_raw_fd() > Standard::Error as i32 {
            return;
        }
        let _stays_open = file.into_raw_fd();
    }
}

/// Why the program ends with an error.
enum Stop {
    /// The reason was printed already.
    Said,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

fn command(mut arguments: impl Iterator<Item = &'static OsStr>) -> Option<Command> {
    let (mut paths, mut check, mut alone) = (Paths::default(), false, None);
    while let Some(argument) = arguments.next() {
        match argument.to_str()? {
            "-c" if paths.file.is_none() => paths.file = Some(arguments.next()?.as_ref()),
            "--ubus" if paths.ubus.is_none() => paths.ubus = Some(arguments.next()?.as_ref()),
            "--check" => check = true,
            "nt-hash" if alone.is_none() => alone = Some(Command::NtHash),
            "--version" if alone.is_none() => alone = Some(Command::Version),
            "--help" | "-h" if alone.is_none() => alone = Some(Command::Help),
            _ => return None,
        }
    }
    match (alone, check, paths) {
        (None, false, paths) => Some(Command::Serve(paths)),
        (None, true, Paths { file: Some(file), ubus: None }) => Some(Command::Check(file)),
        (Some(command), false, Paths { file: None, ubus: None }) => Some(command),
        _ => None,
    }
}

fn serve(paths: &Paths) -> Result<(), Stop> {
    io::log::start(LogLevel::Info);
    if let Err(error) = sys::hide_memory() {
        warn!("a core file could have secrets in it: {error}");
    }
    let file = paths.file;
    let (config, welcome) = configuration(file)?;
    // Before the rest of the memory is taken: the most that is ever used counts on a small router.
    sys::forget_stack();
    io::log::set_level(config.log_level);
    let open = Open::all(&config, paths.ubus, file)?;
    if let Err(error) = sys::drop_rights() {
        warn!("more rights than are needed stay: {error}");
    }
    tun::warn_if_not_forwarding(&config);
    run(file, config, open, welcome)?;
    info!("stopped");
    Ok(())
}

/// The configuration, and what is to be said to the person who started the program.
fn configuration(file: Option<&Path>) -> Result<(Box<Config>, String), Stop> {
    if let Some(file) = file {
        let config = source::load(file, &log_line).ok_or(Stop::Said)?;
        source::warn_if_readable(file);
        return Ok((config, String::new()));
    }
    let mut config = Box::<Config>::default();
    let mut password = welcome::password()?;
    let user = User::new(welcome::ACCOUNT, &password);
    let user = user.map_err(|why| Failure::new("make the account", why, ""))?;
    config.users.extend([user]);
    let text = welcome::text(&config, &password).doing("list the addresses of this machine");
    password.zeroize();
    Ok((config, text?))
}

/// Serves until a signal ends it.
fn run(
    file: Option<&Path>,
    config: Box<Config>,
    open: Open,
    mut welcome: String,
) -> Result<(), Stop> {
    let sizes = Sizes::of(&config);
    let mut sessions = storage(sizes.sessions);
    let mut controls = storage(sizes.controls);
    let mut held = storage(sizes.held);
    let mut frames = storage(sizes.frames);
    let mut addresses = storage(sizes.addresses);
    let mut alarms = storage(sizes.alarms);
    let storage = Storage {
        sessions: &mut sessions,
        controls: &mut controls,
        held: &mut held,
        frames: &mut frames,
        addresses: &mut addresses,
        alarms: &mut alarms,
    };
    let mut server = serve_with(config, storage)?;
    let (mut packet, mut packets) = (Packet::new(), self::storage(sizes.waiting));
    let mut waiting: Vec<_> = packets.iter_mut().map(Waiting::new).collect();
    let mut accounts = self::storage(sizes.accounts);
    let queue = FairQueue::new(&mut waiting, &mut accounts);
    let mut world = World::new(open, &mut server, (&mut packet, queue), Clock::start());
    world.announce();
    print(&welcome)?;
    welcome.zeroize();
    sys::forget_stack();
    loop {
        match world.turn()? {
            Next::Turn => {}
            Next::Reload => {
                reload(&mut world, file);
                sys::forget_stack();
            }
            Next::End => return Ok(()),
        }
    }
}

/// The server; in a function of its own for the same reason as `reload`.
#[inline(never)]
fn serve_with<'a>(config: Box<Config>, storage: Storage<'a>) -> Result<Server<'a>, Failure> {
    Ok(Server::new(taken(config), storage, open::seed()?))
}

/// The configuration out of its box. Another one is left in its place: what is only moved stays in
/// the memory that is freed.
fn taken(mut boxed: Box<Config>) -> Config {
    let mut config = Config::default();
    std::mem::swap(&mut config, &mut boxed);
    config
}

/// All the memory that the server will ever use for this purpose.
fn storage<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

/// Logs what there is to say about the configuration.
fn log_line(level: Level, line: &dyn Display) {
    log!(level, "{line}");
}

/// Reads the configuration again. A broken one changes nothing. (In the frame of `run`, which never
/// ends, the accounts of this one would stay for ever.)
#[inline(never)]
fn reload(world: &mut World, file: Option<&Path>) {
    let Some(file) = file else {
        warn!("nothing to read again: the configuration is the one that is built in");
        return world.keep(Status::NOT_SUPPORTED);
    };
    match source::load(file, &log_line) {
        Some(config) => world.reload(taken(config)),
        None => {
            error!("the configuration stays as it was");
            world.keep(Status::UNKNOWN_ERROR);
        }
    }
}

fn check(file: &Path) -> Result<(), Stop> {
    let config = source::load(file, &|level, line| {
        let kind = if level == Level::Error { "" } else { "warning: " };
        io::log::say(format!("{kind}{line}\n").as_bytes());
    });
    config.map(drop).ok_or(Stop::Said)
}

fn nt_hash() -> Result<(), Stop> {
    let mut octets = [0; PASSWORD];
    let line = read_line(&mut octets).doing("read the password");
    let hash = line.and_then(nt_hash_of);
    octets.zeroize();
    let mut digits = String::new();
    for octet in hash? {
        // A string takes everything.
        let _ = write!(digits, "{octet:02x}");
    }
    print(&format!("{digits}\n"))
}

/// The first line of standard input, as far as there is room.
fn read_line(room: &mut [u8]) -> std::io::Result<&[u8]> {
    let mut input = sys::standard(Standard::Input);
    let mut length = 0;
    while length < room.len() {
        let count = input.read(&mut room[length..])?;
        let end = room[length..].iter().take(count).position(|octet| *octet == b'\n');
        length += end.unwrap_or(count);
        if end.is_some() || count == 0 {
            break;
        }
    }
    Ok(&room[..length])
}

fn nt_hash_of(line: &[u8]) -> Result<[u8; 16], Failure> {
    let refused =
        |why| Failure::new("read the password", why, "one line in UTF-8 on standard input");
    let text = std::str::from_utf8(line).map_err(|_| refused("it is not UTF-8"))?;
    let password = text.strip_suffix('\r').unwrap_or(text);
    if password.is_empty() {
        return Err(refused("it is empty"));
    }
    mschap::nt_hash_of(password).map_err(|_| refused("it has more than 256 characters"))
}

/// Prints to standard output.
fn print(text: &str) -> Result<(), Stop> {
    let written = sys::standard(Standard::Output).write_all(text.as_bytes());
    Ok(written.doing("write to standard output")?)
}
