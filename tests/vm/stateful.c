/* A pppd 2.4.9 plugin: the client wants stateful MPPE both ways (RFC 3078 section 2), which no option of pppd does. */
#include <pppd/pppd.h>
#include <pppd/fsm.h>
#include <pppd/ccp.h>
#include <pppd/mppe.h>

#define CI_MPPE 18
#define CI_MPPE_LENGTH 6

char pppd_version[] = VERSION;
extern bool refuse_mppe_stateful;
static fsm_callbacks stock, own;

/* The server's request: answered by Configure-Nak without the H bit, unless too many were. */
static int review(fsm *ccp, u_char *option, int *length, int no_nak)
{
	if (!no_nak && *length == CI_MPPE_LENGTH && option[0] == CI_MPPE && (option[2] & MPPE_H_BIT)) {
		option[2] &= ~MPPE_H_BIT;
		return CONFNAK;
	}
	return stock.reqci(ccp, option, length, no_nak);
}

static void want_stateful(void *unused, int phase)
{
	if (phase != PHASE_NETWORK) /* CCP is opened right after this phase begins, with a copy of these options */
		return;
	ccp_wantoptions[0].mppe |= MPPE_OPT_STATEFUL;
	refuse_mppe_stateful = 0;
	if (!stock.reqci) {
		own = stock = *ccp_fsm[0].callbacks;
		own.reqci = review;
		ccp_fsm[0].callbacks = &own;
	}
}

void plugin_init(void)
{
	add_notifier(&phasechange, want_stateful, 0);
}
