# Source this file to run a command while an nginx runs, with the folder $dir and the process id
# $nginx_pid. nginx is stopped and the folder removed when the command ends or on a signal.
# shellcheck shell=bash
dir='' nginx_pid='' command_pid='' interrupted=''

# Processes that the command has started may still write to the folder, so try again.
remove_folder() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$dir" 2>/dev/null && return
    sleep 0.2
  done
  echo "cannot remove $dir (try $try)" >&2
}

clean_up() {
  if [ -n "$nginx_pid" ]; then
    kill "$nginx_pid" 2>/dev/null
    wait "$nginx_pid" 2>/dev/null
  fi
  [ -z "$dir" ] || remove_folder
}

# Passes the signal on to the command, whose exit status is returned.
on_signal() {
  [ -n "$command_pid" ] || exit $((128 + $(kill -l "$1")))
  interrupted=yes
  kill -s "$1" "$command_pid" 2>/dev/null
}

is_free() { # PORT
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Runs the command in the background, so that this shell handles signals at once. The shell takes
# stdin and SIGINT from background commands; this restores them.
run() {
  local status
  env --default-signal=INT,QUIT "$@" <&0 &
  command_pid=$!
  interrupted=yes
  while [ -n "$interrupted" ]; do
    interrupted=''
    wait "$command_pid"
    status=$?
  done
  return $status
}

trap clean_up EXIT
for signal in INT TERM HUP; do
  # shellcheck disable=SC2064
  trap "on_signal $signal" $signal
done
