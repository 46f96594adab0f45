// The server's causes in plain words: what happened, and what to do about it. `normal` are ends
// that nobody has to mend; `blocks` are failed logins, after which a caller may have to wait.
'use strict';
'require baseclass';

const CAUSES = {
	cleared: {
		normal: true,
		what: _('The caller hung up.')
	},
	peer_terminated: {
		normal: true,
		what: _('The caller ended the connection.')
	},
	control_closed: {
		normal: true,
		what: _('The caller closed its TCP connection, or a router on the way did.'),
		remedy: _('If this happens often in the middle of a call, look for an unstable line or a router that restarts.')
	},
	control_timeout: {
		what: _('The caller vanished: its TCP connection no longer answers.'),
		remedy: _('Usually the caller lost its Internet connection or went to sleep. Nothing to do here.')
	},
	control_protocol: {
		what: _('Something connected that does not speak PPTP properly.'),
		remedy: _('Often a port scanner. If it is a caller of yours, update its VPN software.')
	},
	no_gre: {
		what: _('TCP port 1723 works, but no GRE packet arrived (Windows shows 619, 721 or 806).'),
		remedy: _('The router or provider of the caller blocks IP protocol 47. Turn on "PPTP pass-through" or "VPN pass-through" in the caller\'s router, or try from another network. If nobody gets through, see the self-check for GRE on this router.')
	},
	lcp_timeout: {
		what: _('The connection could not be set up in time: the first PPP messages got lost.'),
		remedy: _('Try again. If it stays, a firewall on the way drops GRE packets in one direction.')
	},
	lcp_refused: {
		what: _('The caller insists on PPP settings that this server does not have.'),
		remedy: _('Reset the caller\'s VPN entry to its defaults; turn off multilink and compression there. If large packets are the problem, try a smaller packet size (MTU) in the settings.')
	},
	line_dead: {
		what: _('The caller stopped answering in the middle of a call.'),
		remedy: _('Usually the caller lost its Internet connection. If it happens after minutes of silence, the caller\'s router forgets the GRE connection: shorten the interval of echoes in the settings.')
	},
	auth_refused: {
		what: _('The caller refuses to log in by MS-CHAPv2.'),
		remedy: _('Allow "Microsoft CHAP Version 2" (MS-CHAPv2) in the caller\'s VPN entry.')
	},
	auth_timeout: {
		what: _('The caller did not send a name and password in time.'),
		remedy: _('Try again. Old devices need a moment; a slow line may need a longer login timeout.')
	},
	wrong_password: {
		blocks: true,
		what: _('Wrong password (Windows shows 691).'),
		remedy: _('Type the password again in the caller\'s VPN entry. If it is lost, give the account a new one: old passwords cannot be shown.')
	},
	unknown_user: {
		blocks: true,
		what: _('There is no account of this name (Windows shows 691).'),
		remedy: _('Check the spelling: capital and small letters differ. If you do not know the name, a stranger is guessing; the server makes it wait.')
	},
	user_disabled: {
		blocks: true,
		what: _('The account is disabled (Windows shows 691).'),
		remedy: _('Enable it on the page Accounts.')
	},
	hours: {
		what: _('The account must not be online at this time (Windows shows 646).'),
		remedy: _('Change its hours on the page Accounts. If they are right, check the clock and the time zone of this router.')
	},
	clock_not_set: {
		what: _('The account may be online at certain hours only, and the clock of this router is not set (Windows shows 646).'),
		remedy: _('Let the router get its time from the Internet (NTP), or set it on the page System.')
	},
	too_many_failures: {
		blocks: true,
		what: _('Too many failed logins: the caller has to wait (Windows shows 691).'),
		remedy: _('Correct the password in the caller first, then wait or press Unblock.')
	},
	already_connected: {
		what: _('The account is in use, and a second connection is not allowed.'),
		remedy: _('Make an account for each device, or let a second connection take over in the settings.')
	},
	replaced: {
		normal: true,
		what: _('The same account connected again, and this older connection made way.'),
		remedy: _('If two devices throw each other out in turn, give each its own account.')
	},
	encryption_refused: {
		what: _('The caller refuses encryption (Windows shows 734 or 742).'),
		remedy: _('Set the caller to require encryption, "maximum strength" if it asks. Turning off encryption here would let everybody on the way read along.')
	},
	encryption_timeout: {
		what: _('Encryption could not be agreed upon in time.'),
		remedy: _('Try again. The caller must support MPPE with 128 bits.')
	},
	keys_lost: {
		what: _('The encryption keys were out of step after a long outage.'),
		remedy: _('Nothing to do here: the caller only has to dial again.')
	},
	address_refused: {
		what: _('The caller does not accept the address that it was given (Windows shows 720).'),
		remedy: _('Set the caller to get its address automatically, or give the account the fixed address that the caller wants.')
	},
	network_timeout: {
		what: _('The caller did not finish setting up its address in time.'),
		remedy: _('Try again. On Windows, restarting the computer often repairs its VPN adapter.')
	},
	network_refused: {
		what: _('The caller refuses IPv4 (Windows shows 720).'),
		remedy: _('Turn on Internet Protocol Version 4 in the properties of the caller\'s VPN entry.')
	},
	pool_exhausted: {
		what: _('No address is left for this caller.'),
		remedy: _('Make the address range larger in the settings, or disconnect somebody.')
	},
	address_taken: {
		what: _('The fixed address of the account is in use by a machine of the LAN.'),
		remedy: _('Give the account another address, or the machine. What has the address shows in the list of the network\'s neighbours.')
	},
	address_in_use: {
		what: _('The fixed address of the account is in use by another connection.'),
		remedy: _('Wait until the other connection ends, or disconnect it. A fixed address goes with one connection only.')
	},
	login_timeout: {
		what: _('The connection was not complete in time.'),
		remedy: _('Try again. If it stays, the line loses packets, or the login timeout in the settings is too short.')
	},
	idle_timeout: {
		normal: true,
		what: _('Nothing passed for as long as the idle timeout of the account.')
	},
	session_timeout: {
		normal: true,
		what: _('The session timeout of the account was over.')
	},
	account_changed: {
		normal: true,
		what: _('The account was removed, disabled or got another password.')
	},
	disconnected: {
		normal: true,
		what: _('Disconnected on this router.')
	},
	no_slot: {
		what: _('The largest number of connections is reached.'),
		remedy: _('Allow more connections in the settings, or disconnect somebody.')
	},
	shutdown: {
		normal: true,
		what: _('The server stopped or restarted.')
	}
};

return baseclass.extend({
	names: Object.keys(CAUSES),

	// What is known of a failed call's cause; a newer server may know more causes than this page.
	cause(failure) {
		return CAUSES[failure.cause] || { what: failure.text || failure.cause };
	},

	// How long ago, in the largest unit that makes sense.
	ago(seconds) {
		if (seconds < 60)
			return _('%d s ago').format(seconds);

		if (seconds < 3600)
			return _('%d min ago').format(seconds / 60);

		if (seconds < 86400)
			return _('%d h ago').format(seconds / 3600);

		return _('%d days ago').format(seconds / 86400);
	},

	// A length of time such as 1:02:03, with days in front.
	duration(seconds) {
		const clock = '%d:%02d:%02d'.format(
			(seconds % 86400) / 3600, (seconds % 3600) / 60, seconds % 60);

		return seconds < 86400 ? clock : _('%d d').format(seconds / 86400) + ' ' + clock;
	},

	bytes(count) {
		return '%1024.1mB'.format(count);
	},

	rate(bytesPerSecond) {
		return '%1000.1mbit/s'.format(Math.round(bytesPerSecond * 8));
	},

	// Date and time in the form of the browser's language.
	time(seconds) {
		return new Date(seconds * 1000).toLocaleString();
	}
});
