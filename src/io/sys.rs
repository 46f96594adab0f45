//! The system calls that the standard library has no safe form of, each in a thin safe wrapper, and
//! the program's entry.
//! This is the only file with `unsafe`: every block says why it is sound.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use libc::{Ioctl, c_char, c_int, c_short, c_ulong};
use zeroize::Zeroize;

/// The entry that the C runtime calls. Rust's own would bring 12 KB along for what is not needed here:
/// other threads, and words for a stack that overflows.
// SAFETY: this is the one function of this name, and its type is that of C's `main`.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[cfg_attr(test, expect(dead_code, reason = "tests have an entry of their own"))]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // What reads our output may go away: that is an error of write(2), no reason to die.
    // SAFETY: plain numbers.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: there are `count` arguments, each a C string that stays for as long as the program.
    let argument = |at| unsafe { CStr::from_ptr::<'static>(*arguments.add(at)) };
    crate::start((1..count).map(argument)).into()
}

/// The descriptors that every program is started with.
#[derive(Clone, Copy)]
pub enum Standard {
    Input = 0,
    Output = 1,
    Error = 2,
}

/// Standard input, output or error, without any buffer.
pub fn standard(which: Standard) -> ManuallyDrop<File> {
    // SAFETY: `start` saw to it that these three are open, and nothing ever closes them.
    ManuallyDrop::new(unsafe { File::from_raw_fd(which as c_int) })
}

/// The kinds of socket that are opened here; the rest comes from mio.
#[derive(Clone, Copy)]
pub enum Socket {
    /// Every GRE packet (IP protocol 47) for this machine, with its IP header.
    Gre,
    /// IPv4 packets to be sent whose header is there already.
    Ready,
    /// Any IPv4 socket: the handle for requests about network devices.
    Device,
    /// The kernel's routing tables.
    Route,
    /// Packets of one network device behind their link headers (packet(7)). None arrives before
    /// `listen_on`.
    Packet,
}

/// Opens a socket that never blocks and is not handed to other programs.
pub fn socket(which: Socket) -> io::Result<OwnedFd> {
    let (family, kind, protocol) = match which {
        Socket::Gre => (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_GRE),
        Socket::Ready => (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
        Socket::Device => (libc::AF_INET, libc::SOCK_DGRAM, 0),
        Socket::Route => (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        Socket::Packet => (libc::AF_PACKET, libc::SOCK_DGRAM, 0),
    };
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain numbers go in, a new descriptor or -1 comes out.
    owned(unsafe { libc::socket(family, kind, protocol) })
}

/// Sets a socket option whose value is an `int`.
pub fn set_option(socket: impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let (fd, value) = (socket.as_fd().as_raw_fd(), &raw const value);
    let size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` points to `size` octets that live until the call returns.
    checked(unsafe { libc::setsockopt(fd, level, name, value.cast(), size) })
}

/// A packet's destination and the source address that it shall have, as sendmsg(2) wants them.
#[repr(C)]
struct Envelope {
    header: libc::cmsghdr,
    info: libc::in_pktinfo,
    /// Room for the padding behind the information (CMSG_SPACE).
    padding: [usize; 2],
}

/// Sends `packet` to `remote` with the source address `local` (ip(7), IP_PKTINFO).
pub fn send_from(
    socket: impl AsFd,
    packet: &[u8],
    local: Ipv4Addr,
    remote: Ipv4Addr,
) -> io::Result<()> {
    let mut to = socket_address(remote);
    let mut octets =
        libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
    // SAFETY: Envelope and msghdr are C structures of numbers and pointers: all zeros is a value.
    let (mut envelope, mut message): (Envelope, libc::msghdr) = unsafe { mem::zeroed() };
    let info_size = size_of::<libc::in_pktinfo>() as libc::c_uint;
    envelope.header.cmsg_level = libc::IPPROTO_IP;
    envelope.header.cmsg_type = libc::IP_PKTINFO;
    // SAFETY: CMSG_LEN and CMSG_SPACE only compute.
    let (length, space) = unsafe { (libc::CMSG_LEN(info_size), libc::CMSG_SPACE(info_size)) };
    envelope.header.cmsg_len = length as _;
    envelope.info.ipi_spec_dst = in_address(local);
    message.msg_name = (&raw mut to).cast();
    message.msg_namelen = size_of_val(&to) as libc::socklen_t;
    message.msg_iov = &raw mut octets;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut envelope).cast();
    message.msg_controllen = space as _;
    // SAFETY: every pointer of `message` is to a local or to `packet`, with its own length (an
    // envelope is at least CMSG_SPACE octets, see below), and sendmsg writes through none of them.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends `packet` to `remote` (sendto(2)).
pub fn send_to(socket: impl AsFd, packet: &[u8], remote: Ipv4Addr) -> io::Result<()> {
    let (fd, to) = (socket.as_fd().as_raw_fd(), socket_address(remote));
    let (octets, size) = (packet.as_ptr().cast(), size_of_val(&to) as libc::socklen_t);
    // SAFETY: both pointers are read only, and no further than the lengths that go with them.
    let sent = unsafe {
        libc::sendto(fd, octets, packet.len(), libc::MSG_NOSIGNAL, (&raw const to).cast(), size)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes `local` the address that a socket sends from, also in the choice of routes (bind(2)).
pub fn bind(socket: impl AsFd, local: Ipv4Addr) -> io::Result<()> {
    let address = socket_address(local);
    let size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is read only, and no further than its size.
    checked(unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const address).cast(), size) })
}

// The information must stand where CMSG_DATA looks for it, and CMSG_SPACE must be in the envelope.
const _: () = {
    let info_size = size_of::<libc::in_pktinfo>() as libc::c_uint;
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(info_size) } as usize;
    assert!(mem::offset_of!(Envelope, info) == space - aligned(size_of::<libc::in_pktinfo>()));
    assert!(size_of::<Envelope>() >= space);
};

/// `size` rounded up to whole machine words, as CMSG_ALIGN does.
const fn aligned(size: usize) -> usize {
    size.next_multiple_of(size_of::<usize>())
}

/// One instruction of a filter: its code, where it goes on when a comparison is true and when it is
/// false (instructions to be skipped), and its number.
pub type Instruction = libc::sock_filter;

/// Lets a socket only receive what the program passes (bpf(4), the classic kind).
pub fn filter(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    let len = program.len() as libc::c_ushort;
    // The kernel only reads it.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let size = size_of_val(&program) as libc::socklen_t;
    let (level, name, value) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &raw const program);
    // SAFETY: `value` points to `size` octets, which point to `len` instructions; all of it lives
    // until the call returns, and the kernel keeps a copy.
    checked(unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value.cast(), size)
    })
}

/// Lets a packet socket receive what comes in on the device with number `index` and has this
/// EtherType.
pub fn listen_on(socket: impl AsFd, index: u32, ether_type: u16) -> io::Result<()> {
    let address = link_address(index, ether_type, [0; 6]);
    let size = size_of_val(&address) as libc::socklen_t;
    let (fd, address) = (socket.as_fd().as_raw_fd(), &raw const address);
    // SAFETY: `address` points to `size` octets that live until the call returns.
    checked(unsafe { libc::bind(fd, address.cast(), size) })
}

/// Sends `packet` in a frame of this EtherType to the hardware address `to`, out of the device with
/// number `index`, by a packet socket.
pub fn send_frame(
    socket: impl AsFd,
    packet: &[u8],
    (index, ether_type, to): (u32, u16, [u8; 6]),
) -> io::Result<()> {
    let address = link_address(index, ether_type, to);
    let size = size_of_val(&address) as libc::socklen_t;
    let (fd, address) = (socket.as_fd().as_raw_fd(), &raw const address);
    let (octets, flags) = (packet.as_ptr().cast(), libc::MSG_NOSIGNAL);
    // SAFETY: both pointers come with the number of octets behind them, which are only read and
    // live until the call returns.
    let sent = unsafe { libc::sendto(fd, octets, packet.len(), flags, address.cast(), size) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn link_address(index: u32, ether_type: u16, to: [u8; 6]) -> libc::sockaddr_ll {
    let mut hardware = [0; 8];
    hardware[..6].copy_from_slice(&to);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::c_ushort,
        sll_protocol: ether_type.to_be(),
        sll_ifindex: index as c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: hardware,
    }
}

/// A network device: any IPv4 socket as the handle, and the device's name (netdevice(7)).
#[derive(Clone, Copy)]
pub struct Device<'a>(pub BorrowedFd<'a>, pub &'a str);

impl Device<'_> {
    /// Makes the TUN device of this name, or takes it when it waits for somebody to. The handle is
    /// /dev/net/tun; from now on each read and write of it is one packet, with nothing in front or,
    /// if `large`, with the header of `wire::virtio`.
    pub fn make_tun(self, large: bool) -> io::Result<()> {
        let mut request = self.request()?;
        let kind = libc::IFF_TUN | libc::IFF_NO_PI | if large { libc::IFF_VNET_HDR } else { 0 };
        request.ifr_ifru.ifru_flags = kind as c_short;
        self.carry_out(libc::TUNSETIFF, &mut request)
    }

    /// The device's number.
    pub fn index(self) -> io::Result<u32> {
        let mut request = self.request()?;
        self.carry_out(libc::SIOCGIFINDEX as Ioctl, &mut request)?;
        // SAFETY: SIOCGIFINDEX filled in the index, and any bits are a number.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex } as u32)
    }

    /// Sets the octets of its largest packet.
    pub fn set_mtu(self, octets: u16) -> io::Result<()> {
        let mut request = self.request()?;
        request.ifr_ifru.ifru_mtu = c_int::from(octets);
        self.carry_out(libc::SIOCSIFMTU as Ioctl, &mut request)
    }

    /// Sets how many packets wait in the kernel for who reads them.
    pub fn set_queue(self, packets: u16) -> io::Result<()> {
        let mut request = self.request()?;
        // The number has no name in libc; it stands where all numbers do.
        request.ifr_ifru.ifru_metric = c_int::from(packets);
        self.carry_out(libc::SIOCSIFTXQLEN as Ioctl, &mut request)
    }

    /// Lets packets flow.
    pub fn bring_up(self) -> io::Result<()> {
        let mut request = self.request()?;
        self.carry_out(libc::SIOCGIFFLAGS as Ioctl, &mut request)?;
        // SAFETY: SIOCGIFFLAGS filled in the flags, and any bits are a number.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as c_short;
        self.carry_out(libc::SIOCSIFFLAGS as Ioctl, &mut request)
    }

    /// A request about this device, with nothing asked yet.
    fn request(self) -> io::Result<libc::ifreq> {
        // SAFETY: ifreq is a C structure of numbers and pointers: all zeros is a value.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        // The last octet stays zero: the kernel takes the name as a C string.
        if self.1.len() >= request.ifr_name.len() {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        for (to, from) in request.ifr_name.iter_mut().zip(self.1.bytes()) {
            *to = from as c_char;
        }
        Ok(request)
    }

    fn carry_out(self, number: Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: the requests above all read and write one ifreq and keep no pointer to it.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), number, request) })
    }
}

/// Lets a TUN device take large packets but give none, with headers of `octets` octets in
/// little-endian.
pub fn set_large_writes(tun: impl AsFd, octets: usize) -> io::Result<()> {
    let fd = tun.as_fd().as_raw_fd();
    let numbers = [octets as c_int, 1];
    // SAFETY: both requests read an `int` each, which lives until they return.
    unsafe {
        checked(libc::ioctl(fd, libc::TUNSETVNETHDRSZ, &raw const numbers[0]))?;
        checked(libc::ioctl(fd, libc::TUNSETVNETLE, &raw const numbers[1]))?;
    }
    set_offload(fd, 0)
}

/// Lets it also give large TCP packets of both versions of IP, and packets whose checksum is still to be
/// made.
pub fn set_large_reads(tun: impl AsFd) -> io::Result<()> {
    let kinds = libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    set_offload(tun.as_fd().as_raw_fd(), libc::TUN_F_CSUM | kinds)
}

fn set_offload(tun: c_int, kinds: libc::c_uint) -> io::Result<()> {
    // SAFETY: the request takes a number.
    checked(unsafe { libc::ioctl(tun, libc::TUNSETOFFLOAD, c_ulong::from(kinds)) })
}

/// Fills `out` from the kernel's generator; waits when it has no entropy yet, early after power-on.
pub fn random(out: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: the kernel writes at most `rest.len()` octets into `rest`.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => filled += count,
            Err(_) => retry_interrupted(io::Error::last_os_error())?,
        }
    }
    Ok(())
}

fn retry_interrupted(error: io::Error) -> io::Result<()> {
    if super::failure::is_interrupted(&error) { Ok(()) } else { Err(error) }
}

/// Takes the signals of `numbers` out of their usual way: from now on they are read from the
/// descriptor (signalfd(2)).
pub fn signals(numbers: &[c_int]) -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is a C structure of numbers: all zeros is a value; the calls only write to
    // this local, read it, and change the signal mask of this, the only thread.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut set);
        for number in numbers {
            libc::sigaddset(&mut set, *number);
        }
        checked(libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()))?;
        owned(libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))
    }
}

/// Starts a program: its path and arguments, and its whole environment. It reads nothing, writes
/// where we do, leads a process group of its own, and has none of our descriptors, since all of
/// them are closed on the way. Returns its number.
pub fn spawn(command: &[&CStr], environment: &[&CStr]) -> io::Result<c_int> {
    let pointers = |texts: &[&CStr]| -> Vec<*mut c_char> {
        let texts = texts.iter().map(|text| text.as_ptr().cast_mut());
        texts.chain([ptr::null_mut()]).collect()
    };
    let (command, environment) = (pointers(command), pointers(environment));
    let flags =
        libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
    let mut pid = 0;
    // SAFETY: both structures are initialized before they are used and destroyed once; the lists
    // end with a null pointer, and their texts outlive the call, which reads them only.
    let error = unsafe {
        let (mut actions, mut attributes): (libc::posix_spawn_file_actions_t, _) = mem::zeroed();
        let mut signals: libc::sigset_t = mem::zeroed();
        libc::posix_spawn_file_actions_init(&mut actions);
        libc::posix_spawnattr_init(&mut attributes);
        libc::posix_spawn_file_actions_addopen(&mut actions, 0, c"/dev/null".as_ptr(), 0, 0);
        libc::posix_spawnattr_setflags(&mut attributes, flags as c_short);
        // What we take from a descriptor or ignore, it gets as every program does.
        libc::sigemptyset(&mut signals);
        libc::posix_spawnattr_setsigmask(&mut attributes, &signals);
        libc::sigaddset(&mut signals, libc::SIGPIPE);
        libc::posix_spawnattr_setsigdefault(&mut attributes, &signals);
        let (command, environment) = (command.as_ptr(), environment.as_ptr());
        let error =
            libc::posix_spawn(&mut pid, *command, &actions, &attributes, command, environment);
        libc::posix_spawn_file_actions_destroy(&mut actions);
        libc::posix_spawnattr_destroy(&mut attributes);
        error
    };
    if error == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Whether the program `pid`, which we started and have not asked for since it ended, has ended.
pub fn has_ended(pid: c_int) -> bool {
    // SAFETY: a null pointer means that nobody wants to know how it ended.
    unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) != 0 }
}

/// Kills the program `pid`, which we started and which was not seen to end, and those of its group.
pub fn kill(pid: c_int) {
    // SAFETY: plain numbers. While nobody has waited for it, its number belongs to nobody else.
    unsafe { libc::kill(-pid, libc::SIGKILL) };
}

/// Whether this process may make network devices and routes (CAP_NET_ADMIN, capabilities(7)).
pub fn can_net_admin() -> bool {
    has_capability(12)
}

/// Whether this process may open raw sockets (CAP_NET_RAW).
pub fn can_net_raw() -> bool {
    has_capability(13)
}

/// Version 3 of the capability calls, for this process.
const CAPABILITIES: [u32; 2] = [0x2008_0522, 0];

/// Effective, permitted and inheritable capabilities, twice: for those below 32 and above.
type Capabilities = [[u32; 3]; 2];

fn capabilities() -> io::Result<Capabilities> {
    let (header, mut sets) = (CAPABILITIES, Capabilities::default());
    // SAFETY: version 3 reads the two numbers of the header and writes the six of the sets.
    let done = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    checked(done as c_int).map(|()| sets)
}

/// Whether capability `number`, which is below 32, is in effect.
fn has_capability(number: u32) -> bool {
    capabilities().is_ok_and(|[[effective, ..], _]| effective & (1 << number) != 0)
}

/// Gives up, for good and for every program that is started from here, all rights but those for
/// low ports (CAP_NET_BIND_SERVICE), devices and routes, and raw sockets (capabilities(7)).
pub fn drop_rights() -> io::Result<()> {
    const KEPT: u32 = 1 << 10 | 1 << 12 | 1 << 13;
    let [[_, permitted, _], _] = capabilities()?;
    let (header, kept) = (CAPABILITIES, permitted & KEPT);
    let sets: Capabilities = [[kept, kept, 0], [0; 3]];
    // SAFETY: plain numbers go in; capset reads the two numbers of the header and the six of the
    // sets, which are locals.
    unsafe {
        // Numbers that this kernel does not have are refused, and so are all of them to those who
        // may not do this and, since they may not, have little to give up.
        for other in (0..64).filter(|number| *number >= 32 || KEPT >> number & 1 == 0) {
            libc::prctl(libc::PR_CAPBSET_DROP, other as c_ulong, 0, 0, 0);
        }
        checked(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) as c_int)?;
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_ulong, 0, 0, 0))
    }
}

/// Wipes what deeper calls left behind on the stack: passwords, hashes, keys. The pages below are
/// handed back to the kernel, which also makes the process smaller; what is nearer is overwritten.
pub fn forget_stack() {
    discard_below();
    let mut near = [0u64; 2048];
    near.zeroize();
}

#[inline(never)]
fn discard_below() {
    /// More than the deepest calls need, and much less than lies below every stack.
    const REACH: usize = 512 << 10;
    let here = 0u8;
    // SAFETY: sysconf only answers.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(REACH);
    // Room for the frame of the call itself.
    let end = ((&raw const here).addr() & !(page - 1)) - page;
    // SAFETY: the stack grows down: below this frame and that of the call lies nothing that lives.
    // Pages that are not there are no harm.
    unsafe { libc::madvise(ptr::without_provenance_mut(end - REACH), REACH, libc::MADV_DONTNEED) };
}

/// Whether a write of up to a page would be taken at once, or fail at once (poll(2)).
pub fn takes_output(file: impl AsFd) -> bool {
    let mut wanted =
        libc::pollfd { fd: file.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: the kernel reads and writes this one local.
    unsafe { libc::poll(&mut wanted, 1, 0) == 1 }
}

/// Keeps passwords and keys out of core files and away from debuggers of the same user.
pub fn hide_memory() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a pointer to a local that is only read, and plain numbers.
    unsafe {
        // Not setrlimit(2): musl's sets it for threads one by one where prlimit(2) is missing.
        checked(libc::prlimit(0, libc::RLIMIT_CORE, &none, ptr::null_mut()))?;
        checked(libc::prctl(libc::PR_SET_DUMPABLE, 0 as c_ulong, 0, 0, 0))
    }
}

/// Allows this process as many open descriptors as its hard limit permits, at most `wanted`;
/// returns how many that are.
pub fn allow_descriptors(wanted: usize) -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to this local.
    checked(unsafe { libc::prlimit(0, libc::RLIMIT_NOFILE, ptr::null(), &mut limit) })?;
    let wanted = libc::rlim_t::try_from(wanted).unwrap_or(libc::rlim_t::MAX);
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted.min(limit.rlim_max);
        // SAFETY: the kernel reads this local.
        checked(unsafe { libc::prlimit(0, libc::RLIMIT_NOFILE, &limit, ptr::null_mut()) })?;
    }
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// Whether the environment names a time zone.
pub fn has_time_zone() -> bool {
    // SAFETY: both are C strings; what getenv returns is not looked into.
    unsafe { !libc::getenv(c"TZ".as_ptr()).is_null() }
}

/// Sets the time zone of this process, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
pub fn set_time_zone(zone: &CStr) {
    // SAFETY: both are C strings, which setenv copies. Nothing reads the environment meanwhile: this
    // program has one thread.
    unsafe {
        libc::setenv(c"TZ".as_ptr(), zone.as_ptr(), 1);
        tzset();
    }
}

// SAFETY: this is how tzset(3) is declared in C.
unsafe extern "C" {
    fn tzset();
}

/// What a clock of clock_gettime(2) shows. (The standard library's panics when a clock fails, and has the
/// words for it; these clocks never do.)
pub fn time(clock: libc::clockid_t) -> Duration {
    // SAFETY: timespec is a C structure of numbers: all zeros is a value. The call fills in the local.
    let time = unsafe {
        let mut time: libc::timespec = mem::zeroed();
        libc::clock_gettime(clock, &raw mut time);
        time
    };
    // Before 1970 is 1970.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), time.tv_nsec as u32)
}

/// The local time of `seconds` since 1970.
pub fn local_time(seconds: u64) -> Option<libc::tm> {
    /// The calendar repeats after 28 years. Where time has 32 bits only, they end in 2038.
    const CYCLE: u64 = (28 * 365 + 7) * 86_400;
    let seconds = if seconds > i32::MAX as u64 { seconds - CYCLE } else { seconds };
    let seconds = seconds.try_into().ok()?;
    // SAFETY: tm is a C structure of numbers and a pointer: all zeros is a value. The call reads
    // one local and fills in the other.
    unsafe {
        let mut time: libc::tm = mem::zeroed();
        (!libc::localtime_r(&raw const seconds, &raw mut time).is_null()).then_some(time)
    }
}

fn in_address(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: in_address(address),
        sin_zero: [0; 8],
    }
}

/// A new descriptor, or why there is none.
fn owned(fd: c_int) -> io::Result<OwnedFd> {
    checked(fd)?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// -1 means that `errno` says why.
fn checked(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
