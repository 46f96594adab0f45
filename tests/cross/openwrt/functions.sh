# Stand-in for OpenWrt's /lib/functions.sh, as far as our scripts use it. The program `uci` beside
# it turns a configuration file into shell variables.
# shellcheck shell=dash

config_load() {
	CONFIG_SECTIONS=''
	eval "$(uci shell "$1")"
}

config_get() {
	if [ -n "$3" ]; then
		eval "$1=\${CONFIG_${2}_${3}:-\$4}"
	else
		eval "echo \"\${CONFIG_${1}_${2}}\""
	fi
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1|on|true|yes|enabled) $1=1 ;; 0|off|false|no|disabled) $1=0 ;; *) $1=\$4 ;; esac"
}

config_foreach() {
	for section in $CONFIG_SECTIONS; do
		config_get type "$section" TYPE
		[ "$type" != "$2" ] || "$1" "$section"
	done
}
