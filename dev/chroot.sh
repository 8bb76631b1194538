# Source this file as root, with $name and $who set: a chroot of a bare Debian 12 in $root, made by
# debootstrap. It ends with the script. build/bare keeps what debootstrap made, and the packages.
# shellcheck shell=bash disable=SC2154
if [ "$(id -u)" != 0 ]; then
  echo "$name: run it as root, by sudo" >&2
  exit 1
fi

# The mounts and processes belong to this script alone, so they end with it, whatever happens.
if [ "${IN_NAMESPACE-}" != yes ]; then
  IN_NAMESPACE=yes exec unshare --mount --pid --fork --kill-child --propagation private "$0" "$@"
fi

cache=$PWD/build/bare
base=$cache/bookworm.tar
MIRROR=${MIRROR:-http://deb.debian.org/debian}
mkdir -p "$cache/packages"
work=$(mktemp -d "$cache/$who.XXXXXX")
root=$work/root
trap 'fail "line $LINENO"' ERR
trap 'umount -l "$root/proc" "$root/dev/pts" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
  printf '%s: %s\n' "$name" "$*" >&2
  exit 1
}

begin() { printf -- '-- %s: %s\n' "$who" "$*"; }

# Only one of two scripts that start at the same time runs debootstrap.
make_base() {
  exec 9>"$cache/lock"
  flock 9
  if [ ! -e "$base" ]; then
    begin "debootstrap"
    debootstrap --variant=minbase bookworm "$work/base" "$MIRROR" >"$work/log" 2>&1 ||
      { tail -n 20 "$work/log" >&2; fail "debootstrap"; }
    tar -C "$work/base" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$work/base"
  fi
  flock -u 9
}

enter_base() {
  mkdir "$root"
  tar -C "$root" -xf "$base"
  cp /etc/resolv.conf "$root/etc"
  echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
  cp -l "$cache/packages/"*.deb "$root/var/cache/apt/archives" 2>/dev/null || :
  mount -t proc proc "$root/proc"
  mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=666
}

keep_packages() { cp -ln "$root/var/cache/apt/archives/"*.deb "$cache/packages"; }

# Runs a script in the chroot, with the environment of a login on a terminal without colours.
as() { # USER SCRIPT
  local home=/home/$1
  [ "$1" != root ] || home=/root
  chroot "$root" setpriv --reuid "$1" --regid "$1" --init-groups env -i HOME="$home" USER="$1" \
    ${http_proxy:+http_proxy="$http_proxy"} TERM=dumb LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -ec "cd; $2"
}

export -f as
offline() { # USER SCRIPT
  root=$root unshare --net bash -ec 'ip link set lo up; as "$@"' - "$@"
}

# Runs a step as a user: prints the seconds, and fails if they are too many.
timed() { # NAME LIMIT USER SCRIPT
  local start=${EPOCHREALTIME/./} seconds
  as "$3" "$4" >"$work/out" 2>&1 || { cat "$work/out"; fail "$1"; }
  seconds=$(((${EPOCHREALTIME/./} - start) / 100000))
  printf '   %s.%s s  %s\n' $((seconds / 10)) $((seconds % 10)) "$1"
  [ $seconds -le $(($2 * 10)) ] || fail "$1: more than $2 s"
}

printed() { # TEXT
  grep -qF -- "$1" "$work/out" || { cat "$work/out"; fail "'$1' is not in this output"; }
}

packages() { chroot "$root" dpkg-query -W -f '${Package}\n' | LC_ALL=C sort; }
