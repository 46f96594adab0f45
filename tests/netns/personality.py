"""What real clients send, as data (octets as recorded from them): options and their order,
identifiers, first GRE number, timing, habits. `MAGIC` stands for the caller's magic number."""
from dataclasses import dataclass, field, replace

MAGIC = b"\x05\x06MAGC"
PFC, ACFC = bytes.fromhex("0702"), bytes.fromhex("0802")
ACCM_NONE = bytes.fromhex("020600000000")
ADDRESS, DNS1, NBNS1, DNS2, NBNS2 = (
    bytes((kind, 6, 0, 0, 0, 0)) for kind in (3, 129, 130, 131, 132))
STATELESS_128 = bytes.fromhex("120601000040")


def mru(size):
    return b"\x01\x04" + size.to_bytes(2, "big")


@dataclass(frozen=True)
class Personality:
    name: str
    sccrq: dict = field(default_factory=dict)
    ocrq: dict = field(default_factory=dict)
    first_seq: int = 0
    bare_acks: bool = True          # the Linux kernel client never sends one
    shared_ids: bool = False        # one identifier counter for LCP and all NCPs
    first_id: int = 1
    restart: float = 3.0            # seconds until a Configure-Request is repeated
    lcp: tuple = ()
    lcp_refuses: tuple = ()         # option types of the server's that it rejects
    link_info: tuple = ()           # moments at which it sends Set-Link-Info, with the ACCM
    identifications: tuple = ()     # LCP code 12 once LCP is open
    echo: bool = False              # an LCP Echo-Request at once
    chap_name: str = "{user}"
    chap_flags: int = 0
    ncps: tuple = (("ccp", 0.0), ("ipcp", 0.0))     # and seconds after authentication
    ipcp_waits: bool = False        # IPCP starts when CCP is open
    ccp: bytes = STATELESS_128      # the first request
    mppe: tuple = (STATELESS_128,)  # what it agrees to, from either side
    ccp_stubborn: float = 0         # repeats the first request for ever, every so many seconds
    encrypts: bool = True
    on_flush: str = "change"        # stateful: what a FLUSHED frame does to the key
    ipcp: tuple = (ADDRESS,)
    refuses: tuple = ()             # protocols of the server's that it Protocol-Rejects
    extra: tuple = ()               # (protocol, packet) that it sends once LCP is open
    swaps_first: bool = False       # the burst after authentication goes out in the wrong order
    ends_on_ipcp_term: bool = False  # an IPCP Terminate-Ack ends the session
    ccp_once: bool = False          # a CCP request after CCP was open ends the session


PPPD = Personality(
    "pppd", dict(host=b"local", vendor=b"cananian", firmware=1),
    dict(minimum=2400, maximum=10_000_000, window=3), first_seq=1,
    lcp=(mru(1400), ACCM_NONE, MAGIC, PFC, ACFC), echo=True, ipcp_waits=True, ccp_once=True,
    ipcp=(bytes.fromhex("0206002d0f01"), ADDRESS, DNS1, DNS2))

KERNEL = replace(PPPD, name="kernel-pptp", bare_acks=False)

WINDOWS = Personality(
    "windows10", dict(framing=1, bearer=1, channels=0, firmware=0, host=b"",
                      vendor=b"Microsoft"),
    dict(serial=4, minimum=300, maximum=100_000_000, bearer=3, framing=3, window=64),
    shared_ids=True, first_id=0, restart=2.0,
    lcp=(mru(1400), MAGIC, PFC, ACFC, bytes.fromhex("0d0306")),
    link_info=(("call", 0xFFFFFFFF), ("open", 0), ("end", 0xFFFFFFFF)),
    identifications=(b"MSRASV5.20", b"MSRAS-0-DESKTOP-7K1QX",
                     bytes.fromhex("8a1fc03d00e27b459e61d2f7109b3ca4")),
    chap_name="DESKTOP-7K1QX\\{user}",
    ncps=(("ipv6cp", 0.0), ("ccp", 0.0), ("ipcp", 0.0)),
    ccp=bytes.fromhex("120601000000"),
    ipcp=(ADDRESS, DNS1, NBNS1, DNS2, NBNS2), swaps_first=True)

WINDOWS_MULTILINK = replace(
    WINDOWS, name="windows10-multilink",
    lcp=WINDOWS.lcp + (bytes.fromhex("1104064e"),
                       b"\x13\x17\x01" + bytes.fromhex("5d3c7fa2e80b41669f12c8d40a7be35f1122aabb"),
                       bytes.fromhex("17040021")))

WINDOWS_9X = replace(
    WINDOWS, name="windows9x-flags4", chap_flags=4, chap_name="{user}", identifications=(),
    ncps=(("ccp", 0.0), ("ipcp", 0.0)), swaps_first=False,
    lcp=(ACCM_NONE, MAGIC, PFC, ACFC))

WINDOWS_CLEAR = replace(
    WINDOWS, name="windows-no-encryption", encrypts=False, refuses=(0x80FD,),
    ncps=(("ipcp", 0.0),), swaps_first=False)

MIKROTIK = Personality(
    "mikrotik", dict(host=b"MikroTik", vendor=b"MikroTik", firmware=1),
    dict(minimum=300, maximum=100_000_000, window=100), restart=3.0,
    lcp=(mru(1450), MAGIC, bytes.fromhex("11040640")), ncps=(("ccp", 0.0), ("ipcp", 0.03)),
    ipcp=(ADDRESS, DNS1, DNS2), ends_on_ipcp_term=True, lcp_refuses=(7, 8))

TP_LINK = Personality(
    "tp-link", dict(host=b"local", vendor=b"cananian"),
    dict(minimum=2400, maximum=10_000_000, window=3), first_seq=1,
    lcp=(mru(1420), MAGIC), ccp=bytes.fromhex("120600000000"), ccp_stubborn=0.2,
    encrypts=False, ipcp=(ADDRESS, DNS1, DNS2))

ANDROID = Personality(
    "android", dict(host=b"anonymous", vendor=b""), dict(minimum=2400, maximum=10_000_000),
    lcp=(mru(1400), ACCM_NONE, MAGIC, PFC, ACFC), ipcp_waits=True, ccp_once=True,
    ipcp=(ADDRESS, DNS1, DNS2))

APPLE = Personality(
    "apple", dict(host=b"local", vendor=b"cananian"), dict(minimum=2400, maximum=10_000_000),
    lcp=(ACCM_NONE, MAGIC, PFC, ACFC), ipcp=(ADDRESS, DNS1, DNS2),
    extra=((0x8235, bytes.fromhex("0101000c0b0800000001c0a8")),))

NO_MRU = replace(PPPD, name="nomru", lcp=(ACCM_NONE, MAGIC), echo=False)
BARE = replace(PPPD, name="bare", lcp=(), ipcp=(ADDRESS,), echo=False)
WIDE = replace(PPPD, name="wide", lcp=(mru(1500), MAGIC, PFC, ACFC))

PPPD_IPV6 = replace(PPPD, name="pppd+ipv6", ncps=(("ipv6cp", 0.0), *PPPD.ncps))

WITH_CALLS = (PPPD, KERNEL, WINDOWS, WINDOWS_MULTILINK, WINDOWS_9X, MIKROTIK, ANDROID, APPLE,
              NO_MRU, BARE, WIDE)
