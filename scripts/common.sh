# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What quickstart.sh and test.sh share. A sourcing script sets -euo pipefail; every function may be called twice.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly TOP
readonly BUILD=$TOP/build LOGS=$TOP/build/logs STAMPS=$TOP/build/stamps
readonly VENV=$BUILD/venv PYTHON_SOURCES=$TOP/spark-jobs/python
readonly REQUIREMENTS=$PYTHON_SOURCES/requirements
readonly CMAKE_AT_LEAST=3.25

# Spark in local mode needs no name of this machine; a Spark that is installed elsewhere would shadow the pinned one.
export SPARK_LOCAL_IP=127.0.0.1
unset SPARK_HOME PYSPARK_DRIVER_PYTHON PYSPARK_DRIVER_PYTHON_OPTS

say() { printf '%s\n' "$*"; }
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$2" >&2
    exit "$1"
}

# quietly NAME COMMAND...: runs the command with its output in build/logs/NAME.log, and shows the end of that when it fails.
quietly() {
    local log=$LOGS/$1.log
    shift
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 && return
    local status=$?
    tail -n 25 "$log" >&2
    fail "$status" "failed: $* (all of its output: $log)"
}

# ---- packages ----------------------------------------------------------------------------------------------------

has_command() { command -v "$1" >/dev/null 2>&1; }
has_library() { has_command pkg-config && pkg-config --exists "$1"; }
loads() { python3 -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }

# The Debian packages that this machine lacks, judged by what they bring, so that tools from elsewhere count too. The
# names are those that Debian and Ubuntu share. Argument: `run`, or `tests`, which adds what only the tests need.
missing_packages() {
    has_command cc && has_command make || echo build-essential
    has_command cmake || echo cmake
    has_command ninja || echo ninja-build
    has_command pkg-config || echo pkg-config
    has_library libjpeg || echo libjpeg-dev
    has_library libcjson || echo libcjson-dev
    has_library zlib || echo zlib1g-dev
    has_library lapacke || echo liblapacke-dev
    loads libopenblas.so.0 || echo libopenblas0-pthread # both found at run time, by a solve of principal components
    has_library cmocka || echo libcmocka-dev
    has_command javac || echo jdk
    has_command mvn || echo maven
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    [ "$1" = tests ] || return 0
    has_command clang-format-14 || echo clang-format-14
    has_command shellcheck || echo shellcheck
}

# Spark 3.5 runs on Java 8 to 17.
jdk_package() {
    if apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
        echo openjdk-17-jdk-headless
    else
        echo default-jdk-headless
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_update() {
    local try
    for try in 1 2 3; do
        as_root apt-get update && return
        sleep $((5 * try))
    done
    return 1
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# may_install PACKAGE...: or the end, with what to do.
may_install() {
    say "==> installing $*"
    has_command apt-get || fail 3 "this machine has no apt-get: install $* by its own means"
    [ "$(id -u)" -eq 0 ] || has_command sudo || fail 3 "neither root nor sudo: as root, apt-get install $*"
}

# install_packages run|tests
install_packages() {
    local packages
    mapfile -t packages < <(missing_packages "$1")
    if [ ${#packages[@]} -gt 0 ]; then
        may_install "${packages[@]}"
        quietly apt-update apt_update
        quietly apt-install apt_install ca-certificates "${packages[@]/#jdk/$(jdk_package)}"
    fi
    local version
    version=$(cmake --version | awk 'NR == 1 {print $3}')
    printf '%s\n' "$CMAKE_AT_LEAST" "$version" | sort -VC ||
        fail 3 "CMake $version is too old: $CMAKE_AT_LEAST is needed (Debian 12, Ubuntu 24.04, or pip install cmake)"
}

# ---- packages of another architecture ----------------------------------------------------------------------------

has_arm64_library() { PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig has_library "$1"; }

# What a build for aarch64 and its run under qemu need beside `missing_packages tests`, judged in the same way.
missing_arm64_packages() {
    has_command aarch64-linux-gnu-gcc || echo gcc-aarch64-linux-gnu
    has_command qemu-aarch64 || has_command qemu-aarch64-static || echo qemu-user
    has_arm64_library libjpeg || echo libjpeg-dev:arm64
    has_arm64_library libcjson || echo libcjson-dev:arm64
    has_arm64_library zlib || echo zlib1g-dev:arm64
    has_arm64_library lapacke || echo liblapacke-dev:arm64
    [ -e /usr/lib/aarch64-linux-gnu/libopenblas.so.0 ] || echo libopenblas0-pthread:arm64
    has_arm64_library cmocka || echo libcmocka-dev:arm64
}

# without PACKAGE...: those that no archive of this machine holds.
without() {
    local name
    for name in "$@"; do apt-cache show "$name" >/dev/null 2>&1 || echo "$name"; done
}

# Makes apt look for arm64 too. Where that is kept in another archive, as Ubuntu's, every update would fail from then
# on: undone.
add_arm64() {
    if ! dpkg --print-foreign-architectures | grep -qx arm64; then
        as_root dpkg --add-architecture arm64
        apt_update && return
        as_root dpkg --remove-architecture arm64
    fi
    apt_update
}

install_arm64_packages() {
    local packages absent
    mapfile -t packages < <(missing_arm64_packages)
    [ ${#packages[@]} -gt 0 ] || return 0
    may_install "${packages[@]}"
    quietly apt-arm64 add_arm64
    mapfile -t absent < <(without "${packages[@]}")
    [ ${#absent[@]} -eq 0 ] || fail 3 "no archive of this machine holds ${absent[*]}: a build for aarch64 needs Debian 12's"
    quietly apt-install-arm64 apt_install "${packages[@]}"
}

# ---- stamps ------------------------------------------------------------------------------------------------------

# hash_of PATH...: one sum over the files, and over those in the folders but what builds leave there.
hash_of() {
    find "$@" -type f -not -path '*/target/*' -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# once STAMP KEY COMMAND...: runs the command unless it succeeded before under the same key.
once() {
    local stamp=$STAMPS/$1 key=$2
    shift 2
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then return; fi
    "$@"
    mkdir -p "$STAMPS"
    printf '%s\n' "$key" >"$stamp"
}

# ---- Python ------------------------------------------------------------------------------------------------------

# What pyproject.toml asks for in an extra, one requirement a line.
extra_requirements() {
    "$VENV/bin/python" -c 'import sys, tomllib
extras = tomllib.load(open(sys.argv[1], "rb"))["project"]["optional-dependencies"]
print("\n".join(extras[sys.argv[2]]))' "$PYTHON_SOURCES/pyproject.toml" "$1"
}

make_venv() {
    local venv=$1
    shift
    [ -x "$venv/bin/pip" ] || python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --disable-pip-version-check --progress-bar off "$@"
}

# ensure_venv VENV REQUIREMENTS: a virtual environment that holds what a file of spark-jobs/python/requirements names.
ensure_venv() {
    local name
    name=$(basename "$1")
    [ -x "$1/bin/python" ] || rm -f "$STAMPS/$name-"*
    if [ ! -f "$STAMPS/$name-$2" ]; then say "==> Python packages ($2)"; fi
    once "$name-$2" "$(hash_of "$REQUIREMENTS")" quietly "$name-$2" make_venv "$1" -r "$REQUIREMENTS/$2.txt"
}

# ensure_converters: what turns Keras models into model files, into $VENV.
ensure_converters() {
    local list=$BUILD/convert.txt
    extra_requirements convert >"$list"
    once venv-convert "$(hash_of "$list" "$REQUIREMENTS")" \
        quietly venv-convert make_venv "$VENV" -c "$REQUIREMENTS/constraints.txt" -r "$list"
}

# ensure_networks: Keras on TensorFlow, for references; by itself, since TensorFlow and the converters want other versions
# of h5py.
ensure_networks() { ensure_venv "$BUILD/venv-networks" networks; }

pomona_python() { PYTHONPATH=$PYTHON_SOURCES "$VENV/bin/python" "$@"; }

# ---- builds ------------------------------------------------------------------------------------------------------

# build_native PRESET
build_native() {
    if [ ! -f "$BUILD/$1/build.ninja" ]; then
        say "==> C library ($1)"
        (cd "$TOP" && quietly "configure-$1" cmake --preset "$1")
    fi
    (cd "$TOP" && quietly "build-$1" cmake --build --preset "$1")
}

pomona_version() { sed -n 's/^#define POMONA_VERSION "\(.*\)"/\1/p' "$TOP/native/include/pomona.h"; }
jar() { echo "$TOP/spark-jobs/jvm/target/pomona-spark-$(pomona_version).jar"; }

# The POMs of the whole build, and what the jar is made of.
jar_key() { hash_of "$TOP/pom.xml" "$TOP/jni/java" "$TOP/spark-jobs/jvm" "$BUILD/release/lib"; }

# maven ARGUMENTS...: Maven takes its repositories and proxies from the machine's own settings.
maven() { (cd "$TOP" && mvn -B -ntp -Drevision="$(pomona_version)" "$@"); }

# build_jar: after build_native release.
build_jar() {
    [ -f "$(jar)" ] || rm -f "$STAMPS/jar"
    if [ ! -f "$STAMPS/jar" ]; then say "==> jar"; fi
    once jar "$(jar_key)" quietly jar maven -DskipTests package
}

# ---- weights -----------------------------------------------------------------------------------------------------

fetch_model() {
    say "==> weights of $1"
    mkdir -p "$(dirname "$2")"
    quietly fetch-model pomona_python -m pomona models fetch "$1" --out "$2"
}

# ensure_model NAME|FILE: leaves the model file's path in MODEL_FILE.
ensure_model() {
    MODEL_FILE=$1
    case $1 in *://* | *.safetensors) return ;; esac
    local found output family
    found=$(pomona_python -c 'import sys
from pomona import PomonaError
from pomona.models import manifest
try:
    entry = manifest.find(sys.argv[1])
except PomonaError as error:
    sys.exit(str(error))
print(entry["output"], entry["architecture"]["family"])' "$1") ||
        fail 3 "--model takes a name of the manifest or a .safetensors file"
    read -r output family <<<"$found"
    MODEL_FILE=$BUILD/models/$output
    if [ -f "$MODEL_FILE" ]; then return; fi
    if [ "$family" = keras ]; then ensure_converters; fi
    fetch_model "$1" "$MODEL_FILE"
}
