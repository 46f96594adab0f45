# Stand-in for procd.sh and jshn.sh: every call becomes one line on standard output, its words apart
# by the character US (0x1f). RUNNING=1 means that procd already runs the server; OTHERS names the
# other programs that run.
# shellcheck shell=dash

note() {
	line=''
	for word in "$@"; do line="$line$word$(printf '\037')"; done
	echo "$line"
}

for name in procd_open_instance procd_close_instance procd_set_param procd_add_jail procd_add_jail_mount \
	procd_add_jail_mount_rw procd_open_data procd_close_data procd_set_config_changed procd_add_reload_trigger \
	json_add_array json_close_array json_add_object json_close_object json_add_string logger; do
	eval "$name() { note $name \"\$@\"; }"
done

procd_running() { [ "$RUNNING" = 1 ]; }

pgrep() {
	case " $OTHERS " in
	*" $2 "*) echo 1 ;;
	*) return 1 ;;
	esac
}
