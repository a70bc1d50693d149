#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Collects what install.sh installs into one folder, ready to be copied to S3.
#
#   stage.sh [--build DIR] [--jar FILE] [--out DIR] [MODEL.safetensors ...]
#
#   --build    CMake build folder (default build/release)
#   --jar      the Spark jar (default spark-jobs/jvm/target/pomona-spark-VERSION.jar)
#   --out      folder to make (default build/stage); an earlier stage there is replaced
#   MODEL      model files (default: all of build/models)
#
# The last line is the sha256 of SHA256SUMS: the value for install.sh --expect.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$here")
readonly here repo
version=$(sed -n 's/^#define POMONA_VERSION "\(.*\)"/\1/p' "$repo/native/include/pomona.h")
build=$repo/build/release
jar=$repo/spark-jobs/jvm/target/pomona-spark-$version.jar
out=$repo/build/stage
python=$repo/build/venv/bin/python
[ -x "$python" ] || python=python3
models=()
work=

fail() {
    printf 'stage: %s\n' "$*" >&2
    exit 1
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --help) sed -n '4,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
            --build | --jar | --out) [ $# -ge 2 ] || fail "$1 needs a value" ;;
        esac
        case $1 in
            --build) build=$2; shift ;;
            --jar) jar=$2; shift ;;
            --out) out=${2%/}; shift ;;
            -*) fail "unknown option '$1'; see --help" ;;
            *) models+=("$1") ;;
        esac
        shift
    done
    [ ${#models[@]} -gt 0 ] || models=("$repo"/build/models/*.safetensors)
}

# $1 = file, $2 = its name in the stage, $3 = mode
add() {
    [ -f "$1" ] || fail "$1 is missing; build it first (./quickstart.sh builds all)"
    install -D -m "$3" "$1" "$work/$2"
}

collect() {
    local model job
    add "$build/bin/pomona" bin/pomona 0755
    add "$build/lib/libpomona.so" lib/libpomona.so 0644
    add "$build/lib/libpomona_jni.so" lib/libpomona_jni.so 0644
    add "$jar" jars/pomona-spark.jar 0644
    add "$here/selftest.jpg" selftest/image.jpg 0644
    for model in "${models[@]}"; do
        add "$model" "models/$(basename "$model")" 0644
    done
    for job in "$repo"/spark-jobs/jobs/*.{py,scala}; do
        add "$job" "jobs/$(basename "$job")" 0644
    done
    add "$here/install.sh" install.sh 0755
    readelf -d "$work/bin/pomona" | grep -F "[\$ORIGIN/../lib]" >/dev/null ||
        fail "bin/pomona does not look for its library beside itself (RUNPATH \$ORIGIN/../lib)"
}

# The Python package as a wheel, under a name that spark-submit --py-files takes (a wheel is a zip file).
add_python_package() {
    "$python" -m pip wheel -q --no-deps --wheel-dir "$work/python" "$repo/spark-jobs/python" ||
        fail "the Python package could not be built with $python; it needs pip"
    mv "$work"/python/pomona-*.whl "$work/python/pomona.zip"
    chmod 0644 "$work/python/pomona.zip"
}

# Java turns a library of another build than the jar's away on every node: found out here already.
check_same_build() {
    "$python" - "$work/jars/pomona-spark.jar" "$build/lib/pomona-build.properties" <<'END' ||
import sys, zipfile
jar, library = sys.argv[1:]
sys.exit(zipfile.ZipFile(jar).read("pomona-build.properties") != open(library, "rb").read())
END
        fail "$jar was made from another build than $build/lib: run Maven again"
}

# The newest version of the C library that one of the binaries asks for.
needed_glibc() {
    objdump -T "$work/bin/pomona" "$work"/lib/*.so | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV | tail -n 1
}

describe() {
    printf 'version=%s\nmachine=%s\nglibc=%s\n' "$version" "$(uname -m)" "$(needed_glibc)" >"$work/RELEASE"
}

# The vectors of the self-test, by the portable kernels.
make_references() {
    local name path
    for path in "$work"/models/*.safetensors; do
        name=$(basename "$path" .safetensors)
        (cd "$work" && env -u LD_LIBRARY_PATH POMONA_CPU=scalar bin/pomona features --model "models/$name.safetensors" \
            --out "selftest/$name.csv" selftest/image.jpg)
    done
}

list() {
    local names
    mapfile -t names < <(find "$work" -type f -printf '%P\n' | LC_ALL=C sort)
    (cd "$work" && sha256sum "${names[@]}" >SHA256SUMS)
}

main() {
    parse_options "$@"
    if [ -e "$out" ] && [ ! -f "$out/SHA256SUMS" ]; then fail "$out exists and is no stage; choose another --out"; fi
    mkdir -p "$(dirname "$out")"
    work=$(mktemp -d "$out.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    collect
    add_python_package
    check_same_build
    describe
    make_references
    list
    chmod 0755 "$work"
    rm -rf "$out"
    mv -T "$work" "$out"
    printf 'staged version %s in %s; the sha256 of its SHA256SUMS, for --expect:\n' "$version" "$out"
    sha256sum "$out/SHA256SUMS" | cut -d ' ' -f 1
}

main "$@"
