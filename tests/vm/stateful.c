/* A pppd 2.4.9 plugin: the client asks for stateful MPPE (RFC 3078 section 2), which no option of pppd does. */
#include <pppd/pppd.h>
#include <pppd/fsm.h>
#include <pppd/ccp.h>
#include <pppd/mppe.h>

char pppd_version[] = VERSION;
extern bool refuse_mppe_stateful; /* pppd refuses it from the server, too, unless told otherwise */

static void ask_for_stateful(void *unused, int phase)
{
	if (phase == PHASE_NETWORK) { /* CCP is opened right after this, with a copy of these options */
		ccp_wantoptions[0].mppe |= MPPE_OPT_STATEFUL;
		refuse_mppe_stateful = 0;
	}
}

void plugin_init(void)
{
	add_notifier(&phasechange, ask_for_stateful, 0);
}
