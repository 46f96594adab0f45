//! Why packets are dropped and why calls end: the counters and causes that `status` and
//! `failures` show, each with a name for programs and plain words for people.

/// Declares an enum whose members carry a name for programs and words for people.
macro_rules! reasons {
    ($(#[$outer:meta])* $enum:ident { $($member:ident $name:literal $words:literal,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $enum { $(#[doc = $words] $member,)* }

        impl $enum {
            /// Every member, in order.
            pub const ALL: &'static [$enum] = &[$($enum::$member),*];

            /// The name that programs see.
            pub fn name(self) -> &'static str {
                match self { $($enum::$member => $name,)* }
            }

            /// What it means, for people.
            pub fn words(self) -> &'static str {
                match self { $($enum::$member => $words,)* }
            }
        }
    };
}

reasons! {
    /// Why something that arrived was dropped or ignored. One counter each.
    Discard {
        ControlMagic "control_magic" "control message without the magic cookie (RFC 2637 section 2)",
        ControlLength "control_length" "control message shorter than its type prescribes, or too long",
        ControlType "control_type" "control message of an unknown type",
        ControlState "control_state" "control message that nobody waits for in this state",
        ControlCall "control_call" "control message for a call that does not exist",
        ControlOutput "control_output" "control peer that does not read its answers",
        ControlLimit "control_limit" "connection over the limit of all connections",
        ControlAddressLimit "control_address_limit" "connection over the limit of its address",
        GreHeader "gre_header" "GRE packet that is not PPTP's version 1 (RFC 2637 section 4.1)",
        GreLength "gre_length" "GRE payload length larger than the packet",
        GreCall "gre_call" "GRE packet for a call that does not exist",
        GreSource "gre_source" "GRE packet from another address than its control connection",
        GreDuplicate "gre_duplicate" "GRE packet that was received before",
        GreLate "gre_late" "GRE packet that came after the reorder limit",
        GreOverload "gre_overload" "GRE packet over its caller's share while more come than can be served",
        GreUnsent "gre_unsent" "GRE packet that this machine's kernel did not take: no route, no room, a firewall",
        PppFrame "ppp_frame" "PPP frame that is too short or whose lengths lie",
        PppPhase "ppp_phase" "PPP frame of a protocol that has no place in this phase",
        PppProtocol "ppp_protocol" "PPP frame of an unknown protocol (answered by Protocol-Reject)",
        PppCode "ppp_code" "PPP frame with an unknown code (answered by Code-Reject)",
        PppIdentifier "ppp_identifier" "PPP answer to a request that is not pending",
        MppeClear "mppe_clear" "clear packet on a call that must be encrypted",
        MppeHeader "mppe_header" "MPPE packet that is not encrypted, or is compressed",
        MppeLate "mppe_late" "MPPE packet whose key is gone",
        MppeJump "mppe_jump" "MPPE packet too far ahead, or one that does not decrypt to sense",
        MppeReset "mppe_reset" "MPPE packet that came while a key reset was awaited",
        InnerPacket "inner_packet" "inner packet that is not well-formed",
        InnerProtocol "inner_protocol" "inner packet of an unknown network protocol",
        InnerSource "inner_source" "inner packet whose source is neither the caller's address nor behind it",
        InnerForbidden "inner_forbidden" "inner packet for where the account must not go",
        RateUp "rate_up" "inner packet over the account's rate from the caller",
        InnerPhase "inner_phase" "inner packet before the network phase is open",
        InnerLink "inner_link" "inner IPv6 packet for the link itself that nobody answers (multicast, link-local)",
        InnerRouter "inner_router" "router advertisement or redirect of a caller: callers are no routers",
        TunPacket "tun_packet" "packet from the LAN that is not well-formed",
        DhcpMessage "dhcp_message" "DHCP message of a caller that is no DHCPINFORM, or not well-formed",
        DhcpLimit "dhcp_limit" "DHCPINFORM of a caller that had its answers already",
        TunRedirect "tun_redirect" "ICMP redirect of this machine's kernel, meaningless to callers",
        TunDestination "tun_destination" "packet from the LAN for an address that no caller has",
        TunForbidden "tun_forbidden" "packet for a caller whose account must not be reached from there",
        RateDown "rate_down" "packet over the account's rate to the caller",
        TunSize "tun_size" "packet from the LAN larger than the caller takes",
        TunOverload "tun_overload" "packet over its caller's share while more come than can be served",
        RelayPacket "relay_packet" "broadcast that is a fragment, or not a well-formed UDP datagram",
        RelayPort "relay_port" "broadcast to a port that is not relayed",
        RelayRate "relay_rate" "broadcast over the limit of its source, or of all sources",
        RelayLoop "relay_loop" "broadcast that was relayed before and came back",
        OutboxFull "outbox_full" "own PPP frame lost since too many waited (it is sent again)",
        HeldFull "held_full" "early GRE packet dropped since too many waited",
    }
}

reasons! {
    /// Why a call ended or was refused.
    Cause {
        Cleared "cleared" "the caller hung up",
        PeerTerminated "peer_terminated" "the caller's PPP said goodbye",
        ControlClosed "control_closed" "the caller's TCP connection was closed",
        ControlTimeout "control_timeout" "the caller's TCP connection did not answer an echo",
        ControlProtocol "control_protocol" "the caller broke the rules of the control connection",
        NoGre "no_gre" "TCP 1723 works but no GRE packet arrived: a router or provider on the way blocks IP protocol 47 (Windows shows 619, 721 or 806)",
        LcpTimeout "lcp_timeout" "the caller did not agree on LCP in time",
        LcpRefused "lcp_refused" "the caller insists on LCP options that this server cannot accept",
        LineDead "line_dead" "the caller stopped answering LCP echoes",
        AuthRefused "auth_refused" "the caller refuses MS-CHAPv2 (allow it in the caller's settings)",
        AuthTimeout "auth_timeout" "the caller did not answer the MS-CHAPv2 challenge",
        WrongPassword "wrong_password" "wrong password (Windows shows 691)",
        UnknownUser "unknown_user" "no account of that name (Windows shows 691)",
        UserDisabled "user_disabled" "the account is disabled (Windows shows 691)",
        Hours "hours" "the account must not be online at this time (Windows shows 646)",
        ClockNotSet "clock_not_set" "the account must be online at certain times only, and this router's clock is not set (Windows shows 646)",
        TooManyFailures "too_many_failures" "too many failed logins from this address or for this account: blocked for a while (Windows shows 691)",
        AlreadyConnected "already_connected" "the account is in use and a second call is not allowed",
        Replaced "replaced" "the same account called again from elsewhere",
        EncryptionRefused "encryption_refused" "the caller refuses MPPE encryption, which is required here (Windows shows 734 or 742)",
        EncryptionTimeout "encryption_timeout" "the caller did not agree on MPPE encryption in time",
        KeysLost "keys_lost" "the caller's encrypted packets could not be read any more: after a long outage its keys were out of step",
        AddressRefused "address_refused" "the caller does not accept the address that it was given (Windows shows 720)",
        NetworkTimeout "network_timeout" "the caller did not agree on IPCP in time",
        NetworkRefused "network_refused" "the caller refuses IPCP, the protocol for IPv4 (Windows shows 720)",
        PoolExhausted "pool_exhausted" "every address of the pool is in use",
        AddressInUse "address_in_use" "the account's fixed address is in use by another call",
        AddressTaken "address_taken" "the account's fixed address is in use by a machine of the LAN",
        LoginTimeout "login_timeout" "the call was not open within login_timeout",
        IdleTimeout "idle_timeout" "no packets passed for the account's idle_timeout",
        SessionTimeout "session_timeout" "the account's session_timeout is over",
        AccountChanged "account_changed" "the account was removed, disabled or got another password",
        Disconnected "disconnected" "disconnected by the administrator",
        NoSlot "no_slot" "max_sessions calls are open already",
        Shutdown "shutdown" "the server is stopping",
    }
}

impl Cause {
    /// Whether the caller was refused for who it says it is.
    pub fn is_failed_login(self) -> bool {
        use Cause::*;
        matches!(
            self,
            WrongPassword
                | UnknownUser
                | UserDisabled
                | Hours
                | ClockNotSet
                | TooManyFailures
                | AlreadyConnected
        )
    }
}

/// One counter for each member of [`Discard`].
#[derive(Debug, Clone)]
pub struct Discards([u32; Discard::ALL.len()]);

impl Default for Discards {
    fn default() -> Self {
        Discards([0; Discard::ALL.len()])
    }
}

impl Discards {
    /// Counts one; stops at the largest number instead of starting anew.
    pub fn count(&mut self, why: Discard) {
        let counter = &mut self.0[why as usize];
        *counter = counter.saturating_add(1);
    }

    /// How often it happened since the start.
    pub fn of(&self, why: Discard) -> u32 {
        self.0[why as usize]
    }
}

/// One counter for each member of [`Cause`].
#[derive(Debug, Clone)]
pub struct Causes([u32; Cause::ALL.len()]);

impl Default for Causes {
    fn default() -> Self {
        Causes([0; Cause::ALL.len()])
    }
}

impl Causes {
    /// Counts one; stops at the largest number instead of starting anew.
    pub fn count(&mut self, why: Cause) {
        let counter = &mut self.0[why as usize];
        *counter = counter.saturating_add(1);
    }

    /// How many calls ended so since the start.
    pub fn of(&self, why: Cause) -> u32 {
        self.0[why as usize]
    }
}
