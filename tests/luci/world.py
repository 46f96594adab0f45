"""The configuration files of the router behind the page."""

import os

FILES = {
    'pptp-server': '',
    'system': '',
    'luci': "config core 'main'\n\toption lang 'auto'\n",
    'firewall': """
config zone
	option name 'lan'
	option input 'ACCEPT'
	option forward 'ACCEPT'

config zone
	option name 'wan'
	option input 'REJECT'
	option masq '1'

config zone
	option name 'guest'
	option input 'REJECT'

config forwarding
	option src 'lan'
	option dest 'wan'
""",
    'dhcp': "config dnsmasq\n\toption domainneeded '1'\n\toption localservice '1'\n"
            "\nconfig dhcp 'lan'\n\toption interface 'lan'\n\toption start '100'\n\toption limit '150'\n",
    'ddns': "config service 'home'\n\toption enabled '1'\n\toption lookup_host 'home.example.net'\n\toption password 'x'\n",
    'pptpd': """
config service 'pptpd'
	option enabled '0'

config login
	option username 'youruser'
	option password 'yourpass'

config login
	option username 'frank'
	option password 'old secret'
	option remoteip '192.168.77.60'
""",
}


def write(folder):
    for name, text in FILES.items():
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write(text)
