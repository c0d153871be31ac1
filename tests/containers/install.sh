#!/bin/sh
# usage: tests/containers/install.sh [--key FILE] PACKAGE.rpm...
#
# Installs every package, compares it with its manifest, runs the programs of the system on its library,
# and erases it again. With --key, each must be signed with the public key in FILE.
#
# Run it as root in a container of the dist that the packages are for: it changes the system. It needs
# rpm, coreutils and a POSIX shell, which the minimal image of every dist has, and no repository or network.

set -eu
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
manifests=$here/../../recipes/manifests

say() { printf '%s\n' "$*"; }
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 64; } # EX_USAGE
# fail WHAT [FILE]: prints the file, too. The package stays installed and can be inspected.
fail() {
    [ $# -lt 2 ] || head -n 20 "$2" >&2
    printf 'install.sh: %s: %s\n' "${rpm##*/}" "$1" >&2
    exit 1
}

# Every path of the system, except for rpm's own database and this script's files.
paths() { du -alx --exclude="$database" --exclude="$work" / | cut -f2- | sort; }

# rpm accepts a package without a signature; its report shows whether there is one.
check_signature() {
    rpm -Kv "$rpm" >"$work/signature" 2>&1 || fail 'its signature or its digests are wrong' "$work/signature"
    case $(cat "$work/signature") in *Signature,*': OK'*) ;; *) fail 'it is not signed' "$work/signature" ;; esac
}

# Without the links of the build-id: it depends on the library's bytes, and no rpm before 4.14 has them.
without_build_id() { sed '/^\/usr\/lib\/\.build-id/d' "$@" | sort; }

check_files() {
    flavor=${name#mimalloc-custom}
    manifest=$manifests/$version${flavor:+.${flavor#-}}.txt
    [ -f "$manifest" ] || fail "there is no manifest $manifest"
    rpm -ql "$name" | without_build_id >"$work/listed"
    without_build_id "$manifest" | comm -3 - "$work/listed" >"$work/difference"
    [ ! -s "$work/difference" ] || fail 'its files are not those of its manifest (left: missing)' "$work/difference"
    rpm -V "$name" >"$work/verified" 2>&1 || fail 'rpm -V reports a difference' "$work/verified"
    [ ! -s "$work/verified" ] || fail 'rpm -V is not silent' "$work/verified"
}

# The path for LD_PRELOAD: the link that has the name of the soname.
find_library() {
    library=''
    for path in $(rpm -ql "$name"); do
        case $path in */libmimalloc*.so.[0-9]) library=$path ;; esac
    done
    [ -n "$library" ] || fail 'it has no library with a soname'
    [ -f "$library" ] || fail "$library leads nowhere"
    code=$(readlink -f "$library")
}

# mapped LIBRARY: whether a shell that preloads it has our code mapped, by /proc/self/maps.
mapped() {
    # shellcheck disable=SC2016  # the shell that is started expands it
    LD_PRELOAD=$1 sh -c 'while read -r line; do case $line in *" r-xp "*" $1") exit 0 ;; esac
        done </proc/self/maps; exit 1' sh "$code" 2>"$work/complaint"
}

# bound COMMAND...: the loader binds malloc and free of the whole process to the library.
bound() {
    LD_BIND_NOW=1 LD_DEBUG=bindings LD_PRELOAD=$library "$@" >"$work/output" 2>"$work/bindings" ||
        fail "does not run on it: $*" "$work/bindings"
    for symbol in malloc free; do
        ours=0
        while read -r line; do
            case $line in
            *" to $library [0]: normal symbol \`$symbol'"*) ours=1 ;;
            *": normal symbol \`$symbol'"*) fail "$*: another $symbol than ours: $line" ;;
            esac
        done <"$work/bindings"
        [ "$ours" = 1 ] || fail "$*: its $symbol is not ours"
    done
}

# alike COMMAND...: prints the same as without the library, and no complaint of the loader.
alike() {
    "$@" >"$work/without" 2>&1 || fail "does not run at all, whatever the library: $*" "$work/without"
    LD_PRELOAD=$library "$@" >"$work/with" 2>&1 || fail "does not run on it: $*" "$work/with"
    [ "$(cksum <"$work/with")" = "$(cksum <"$work/without")" ] ||
        fail "prints something else on it: $*" "$work/with"
}

# The process asks the library whether a block that malloc gave it is the library's.
owns_heap() {
    LD_PRELOAD=$library "$1" -c '
import ctypes, sys
this = ctypes.CDLL(None)
this.malloc.restype = ctypes.c_void_p
this.malloc.argtypes = [ctypes.c_size_t]
this.mi_is_in_heap_region.restype = ctypes.c_bool
this.mi_is_in_heap_region.argtypes = [ctypes.c_void_p]
sys.exit(not all(this.mi_is_in_heap_region(this.malloc(size)) for size in range(1, 5000)))
' 2>"$work/complaint" || fail "a block of $1 is not the library's" "$work/complaint"
}

run_programs() {
    ! mapped "$library.elsewhere" || fail 'the test is wrong: it passes for a library that does not exist'
    mapped "$library" || fail 'a shell does not run on it' "$work/complaint"
    [ ! -s "$work/complaint" ] || fail 'the loader complains' "$work/complaint"
    bound sh -c 'echo started'
    bound ls -l /
    alike ls -lR /etc
    alike sort "$work/before"
    # shellcheck disable=SC2016  # the shell that is started expands it
    alike sh -c 'n=0; while [ $n -lt 100 ]; do n=$(expr $n + 1); (: "$n"); done; echo "$n"'
    alike rpm -qa --qf '%{NAME} %{VERSION} %{SIZE}\n'
    python=''
    for program in /usr/libexec/platform-python python3 python; do
        ! command -v "$program" >/dev/null || { python=$program; break; }
    done
    [ -n "$python" ] || { say '  no Python here: the heap was not tested'; return; }
    alike "$python" -c 'import json; print(json.dumps([{str(n): [n] * 50} for n in range(2000)]))'
    owns_heap "$python"
}

try() {
    rpm=$1
    [ -z "$key" ] || check_signature
    nv=$(rpm -qp --qf '%{NAME} %{VERSION}' "$rpm" 2>"$work/query") || fail 'rpm cannot read it' "$work/query"
    name=${nv% *} version=${nv#* }
    paths >"$work/before"
    rpm -U "$rpm" >"$work/installed" 2>&1 || fail 'it cannot be installed' "$work/installed"
    check_files
    find_library
    run_programs
    rpm -e "$name" >"$work/removed" 2>&1 || fail 'it cannot be removed' "$work/removed"
    paths | comm -3 "$work/before" - >"$work/difference"
    [ ! -s "$work/difference" ] || fail 'the system is not what it was before' "$work/difference"
    say "good: ${rpm##*/}"
}

key=''
case ${1-} in --key) [ $# -gt 1 ] || usage; key=$2; shift 2 ;; esac
[ $# -gt 0 ] || usage
rpm='' work=$(mktemp -d) database=$(readlink -f "$(rpm --eval '%{_dbpath}')")
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
[ -z "$key" ] || rpm --import "$key"
# The dist's triggers run it for every package; make its cache before the paths are listed.
! command -v ldconfig >/dev/null || ldconfig
for file do try "$file"; done
