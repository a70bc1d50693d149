#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs Pomona on this machine: an EMR bootstrap action, or by hand on any Spark node.
#
#   install.sh --from DIR|s3://BUCKET/PREFIX --expect SHA256 [--prefix DIR] [--region REGION] [--endpoint-url URL]
#
#   --from      folder or S3 prefix that stage.sh made
#   --expect    sha256 of its SHA256SUMS, as stage.sh printed it. It comes from the command line, not from beside the
#               files, so that whoever can write to the bucket cannot replace files and hash together
#   --prefix    where to install (default /opt/pomona); its parent folder must exist
#   --region, --endpoint-url    handed to the AWS command line
#
# PREFIX becomes a symbolic link to PREFIX-<first 12 digits of the hash>, switched by one rename after the self-test:
# a job sees the old release or the new one, never a mixture. A second run with the same hash changes nothing. On
# failure the exit status is not 0, nothing is left behind, and the last line says why.
# Runs as root, or as a user who may use sudo (hadoop on EMR). Needs bash 4.2 and coreutils; the AWS CLI for s3://.
set -Eeuo pipefail
umask 022

source=
expect=
prefix=/opt/pomona
work=
aws_options=()
as_owner=(env)

log() { printf 'pomona install: %s\n' "$*"; }

fail() {
    trap - ERR
    printf 'pomona install: FAILED: %s\n' "$*" >&2
    exit 1
}

usage() { sed -n '4,/^set /s/^# \{0,1\}//p' "$0"; }

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --help) usage; exit 0 ;;
            --from | --expect | --prefix | --region | --endpoint-url)
                [ $# -ge 2 ] || fail "$1 needs a value" ;;
            *) fail "unknown option '$1'; see --help" ;;
        esac
        case $1 in
            --from) source=${2%/} ;;
            --expect) expect=$2 ;;
            --prefix) prefix=${2%/} ;;
            *) aws_options+=("$1" "$2") ;;
        esac
        shift 2
    done
    [ -n "$source" ] || fail "--from is missing: a folder or s3://BUCKET/PREFIX"
    [[ $expect =~ ^[0-9a-f]{64}$ ]] || fail "--expect needs the sha256 of SHA256SUMS (64 hexadecimal digits)"
    [[ $prefix == /* ]] || fail "--prefix must be an absolute path, not '$prefix'"
    target=$prefix-${expect:0:12}
}

# One file of the source into the working folder.
fetch() {
    mkdir -p "$(dirname "$work/$1")"
    case $source in
        s3://*)
            command -v aws >/dev/null || fail "the AWS command line (aws) is not on PATH; it is needed for $source"
            aws s3 cp --only-show-errors --cli-connect-timeout 10 --cli-read-timeout 60 \
                ${aws_options[@]+"${aws_options[@]}"} "$source/$1" "$work/$1" || fail "cannot fetch $source/$1"
            ;;
        *)
            [ -f "$source/$1" ] || fail "$source/$1 is missing"
            cp "$source/$1" "$work/$1" || fail "cannot copy $source/$1 (disk full?)"
            ;;
    esac
}

# The folder $1 holds exactly what --expect promises.
intact() {
    (cd "$1" && echo "$expect  SHA256SUMS" | sha256sum --status -c - && sha256sum --status -c SHA256SUMS) 2>/dev/null
}

make_work_folder() {
    local parent
    parent=$(dirname "$prefix")
    [ -d "$parent" ] || fail "folder $parent does not exist; create it or choose another --prefix"
    if [ -e "$prefix" ] && [ ! -L "$prefix" ]; then
        fail "$prefix exists and is no link of this script; move it away or choose another --prefix"
    fi
    if [ ! -w "$parent" ]; then
        sudo -n true 2>/dev/null || fail "cannot write to $parent: run as root, or as a user who may use sudo"
        as_owner=(sudo -n)
    fi
    work=$("${as_owner[@]}" mktemp -d "$prefix.XXXXXX") || fail "cannot create a folder in $parent"
    "${as_owner[@]}" chown "$(id -u):$(id -g)" "$work"
}

fetch_manifest() {
    local actual unsafe
    fetch SHA256SUMS
    actual=$(sha256sum <"$work/SHA256SUMS")
    [ "${actual%% *}" = "$expect" ] || fail "$source/SHA256SUMS has sha256 ${actual%% *}, but --expect says $expect"
    unsafe=$(grep -vE '^[0-9a-f]{64}  [A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$' "$work/SHA256SUMS" || true)
    [ -z "$unsafe" ] || fail "SHA256SUMS has a line that this script does not accept: $unsafe"
}

released() { sed -n "s/^$1=//p" "$work/RELEASE"; }

# Refuses another machine or an older C library before the large files are fetched.
check_host() {
    local machine glibc needed
    fetch RELEASE
    (cd "$work" && grep '  RELEASE$' SHA256SUMS | sha256sum --status -c -) || fail "RELEASE differs from SHA256SUMS"
    machine=$(uname -m)
    [ "$machine" = "$(released machine)" ] ||
        fail "these artefacts are for $(released machine), this machine is $machine; stage a build for $machine"
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //') || true
    needed=$(released glibc)
    [ -n "$glibc" ] || fail "these artefacts need glibc $needed or later; this machine has another C library"
    [ "$(printf '%s\n' "$needed" "$glibc" | sort -V | head -n 1)" = "$needed" ] ||
        fail "these artefacts need glibc $needed or later, this machine has $glibc; build them on a system this old"
}

fetch_artefacts() {
    local name wrong
    while read -r _ name; do
        [ "$name" = RELEASE ] || fetch "$name"
    done <"$work/SHA256SUMS"
    wrong=$({ cd "$work"; sha256sum -c --quiet SHA256SUMS 2>/dev/null || true; } | sed 's/: .*//' | paste -sd ' ')
    [ -z "$wrong" ] || fail "sha256 mismatch, not installed: $wrong"
    for name in bin/pomona lib/libpomona.so lib/libpomona_jni.so jars/pomona-spark.jar; do
        [ -f "$work/$name" ] || fail "SHA256SUMS does not list $name; stage the artefacts again"
    done
    chmod 0755 "$work" "$work/bin/pomona"
}

# Every library that ours need is there, with every symbol.
check_libraries() {
    local file missing
    for file in bin/pomona lib/libpomona.so lib/libpomona_jni.so; do
        missing=$(ldd -r "$work/$file" 2>&1 | grep -E 'not found|undefined symbol|not a dynamic' || true)
        [ -z "$missing" ] || fail "$file cannot be loaded here:" "$(echo "$missing" | tr -s '\t\n' ' ')"
    done
}

# Root mean square of the difference over that of the reference, in units of 1e-6, rounded up; prints nothing when the
# files do not hold equally many numbers.
relative_difference() {
    awk -F, 'FNR == 1 { file++ }
        { for (i = 2; i <= NF; i++) { n[file]++; if (file == 1) want[n[1]] = $i; else got[n[2]] = $i } }
        END {
            if (n[1] == 0 || n[1] != n[2]) exit
            for (i = 1; i <= n[1]; i++) { d = got[i] - want[i]; e += d * d; s += want[i] * want[i] }
            if (s > 0 && e == e && e < s) printf "%d\n", sqrt(e / s) * 1e6 + 1
        }' "$1" "$2"
}

# The installed command line, in the working folder, with the library beside it.
pomona() { (cd "$work" && env -u LD_LIBRARY_PATH bin/pomona "$@"); }

# Runs every model on one image with this machine's kernels and compares with the vector that stage.sh made with the
# portable ones. Levels differ by rounding alone: 5e-5 is the library's own tolerance.
self_test() {
    local path name difference
    check_libraries
    pomona doctor || fail "self-test: 'pomona doctor' failed"
    for path in "$work"/models/*.safetensors; do
        name=$(basename "$path" .safetensors)
        pomona model verify "models/$name.safetensors" || fail "self-test: model $name is damaged"
        pomona features --model "models/$name.safetensors" --out result.csv selftest/image.jpg ||
            fail "self-test: model $name does not run on this machine"
        difference=$(relative_difference "$work/selftest/$name.csv" "$work/result.csv")
        rm -f "$work/result.csv"
        [ "${difference:-999999}" -le 50 ] ||
            fail "self-test: model $name gives wrong numbers on this machine (${difference:-no} x 1e-6)"
        log "self-test of model $name passed (difference below $difference x 1e-6)"
    done
}

# Both steps are renames on one file system.
place() {
    local link
    "${as_owner[@]}" chown -R "$("${as_owner[@]}" id -u):$("${as_owner[@]}" id -g)" "$work"
    if [ -e "$target" ]; then
        "${as_owner[@]}" mv -T "$target" "$work/replaced"
    fi
    "${as_owner[@]}" mv -T "$work" "$target"
    work=
    "${as_owner[@]}" rm -rf "$target/replaced"
    link=$("${as_owner[@]}" mktemp -u "$prefix.XXXXXX")
    "${as_owner[@]}" ln -s "$(basename "$target")" "$link"
    "${as_owner[@]}" mv -T "$link" "$prefix"
}

clean_up() {
    if [ -n "$work" ]; then "${as_owner[@]}" rm -rf "$work"; fi
}

main() {
    trap clean_up EXIT
    trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
    parse_options "$@"
    if [ "$(readlink "$prefix" || true)" = "$(basename "$target")" ] && intact "$target"; then
        log "$prefix holds this release already; nothing to do"
        return
    fi
    make_work_folder
    fetch_manifest
    check_host
    fetch_artefacts
    self_test
    log "installed version $(released version) to $prefix"
    place
}

main "$@"
