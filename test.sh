#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs every test.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

readonly RESULTS=$BUILD/test-results
readonly SHARED=${POMONA_SHARED:-$TOP/../shared}
readonly USUAL=(shell format ruff native jvm integration spark golden python)
readonly EXTRA=(asan tsan native-scalar native-avx2 golden-scalar golden-avx2 neon spark4)
readonly LANES=(1 2) # see lane_of

usage() {
    cat <<END
usage: ./test.sh [--full] [SUITE...]

Suites: ${USUAL[*]}
Only with --full, or by name: ${EXTRA[*]}

The last line is "N passed, N failed, N skipped"; results stay in build/test-results, outputs in build/logs.
Exit status: 0 all well, 1 a test failed, 2 usage, other when something that the tests need could not be made.
END
}

parse() {
    SUITES=("${USUAL[@]}")
    local named=() known=" ${USUAL[*]} ${EXTRA[*]} "
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage && exit 0 ;;
            --full) SUITES+=("${EXTRA[@]}") ;;
            *)
                case $known in *" $1 "*) named+=("$1") ;; *) fail 2 "unknown suite $1 (see --help)" ;; esac
                ;;
        esac
        shift
    done
    [ ${#named[@]} -eq 0 ] || SUITES=("${named[@]}")
}

sources() { (cd "$TOP" && git ls-files --cached --others --exclude-standard -z -- "$@"); }

# Each suite writes JUnit files into the folder that it is given, or is one test by its exit status.
suite_shell() { sources '*.sh' .ci/run | (cd "$TOP" && xargs -0 shellcheck -x); }
suite_format() { sources '*.c' '*.h' | (cd "$TOP" && xargs -0 clang-format-14 --dry-run -Werror); }
suite_ruff() {
    (cd "$TOP" && "$VENV/bin/ruff" check . && "$VENV/bin/ruff" format --check .)
}

run_ctest() { (cd "$TOP" && ctest --preset "$1" -j "$(nproc)" --output-junit "$2/ctest.xml"); }
suite_native() { run_ctest release "$1"; }
suite_native-scalar() { POMONA_CPU=scalar run_ctest release "$1"; }
suite_native-avx2() { POMONA_CPU=avx2 run_ctest release "$1"; }
suite_asan() { build_native asan && run_ctest asan "$1"; }
suite_tsan() { build_native tsan && run_ctest tsan "$1"; }
suite_neon() { install_arm64_packages && build_native neon && run_ctest neon "$1"; }

# The surefire reports of a run before would be counted again.
suite_jvm() {
    local modules=("$TOP/jni/java" "$TOP/spark-jobs/jvm") module status=0
    rm -rf "${modules[@]/%//target/surefire-reports}"
    maven verify || status=$?
    for module in "${modules[@]}"; do
        [ -d "$module/target/surefire-reports" ] || continue
        mkdir -p "$1/$(basename "$module")"
        cp "$module"/target/surefire-reports/*.xml "$1/$(basename "$module")"
    done
    return $status
}

# run_pytest VENV RESULTS FOLDER
run_pytest() {
    local status=0
    PYSPARK_PYTHON=$1/bin/python "$1/bin/python" -m pytest "$TOP/tests/$3" -q --junitxml "$2/pytest.xml" \
        -o cache_dir="$BUILD/pytest-cache" || status=$?
    return $status
}
suite_python() { run_pytest "$VENV" "$1" python; }
suite_golden() { run_pytest "$VENV" "$1" golden; }
suite_golden-scalar() { POMONA_CPU=scalar run_pytest "$VENV" "$1" golden; }
suite_golden-avx2() { POMONA_CPU=avx2 run_pytest "$VENV" "$1" golden; }
suite_spark() { run_pytest "$VENV" "$1" spark; }
suite_spark4() {
    ensure_venv "$BUILD/venv-spark4" test-spark4
    archive_classes "$BUILD/venv-spark4"
    run_pytest "$BUILD/venv-spark4" "$1" spark
}
suite_integration() { run_pytest "$VENV" "$1" integration; }

run_suite() {
    local folder=$RESULTS/$1 log=$LOGS/test-$1.log status=0 begin=$SECONDS
    mkdir -p "$folder"
    ("suite_$1" "$folder") >"$log" 2>&1 || status=$?
    echo "$status" >"$folder/status"
    printf '  %-16s %5d s  %s\n' "$1" $((SECONDS - begin)) "$([ "$status" -eq 0 ] && echo ok || echo "FAILED, see $log")"
    [ "$status" -eq 0 ] || tail -n 40 "$log"
}

convert_mobilenet() {
    local weights=$SHARED/models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5
    [ -f "$weights" ] || return 0
    local out=$BUILD/models/mobilenet_v2.safetensors
    once mobilenet_v2 "$(hash_of "$weights" "$PYTHON_SOURCES/pomona/models")" \
        quietly convert-mobilenet pomona_python -m pomona models convert --keras MobileNetV2 --weights "$weights" "$out"
}

# archive_classes VENV: programs of the tests start in little more than half the time when they map Spark's classes.
archive_classes() {
    local name
    name=classes-$(basename "$1")
    [ -f "$1/spark-classes.jsa" ] || rm -f "$STAMPS/$name"
    once "$name" "$(hash_of "$REQUIREMENTS")" quietly "$name" \
        env PYTHONPATH="$TOP/tests:$PYTHON_SOURCES" "$1/bin/python" -m support.class_archive
}

prepare() {
    install_packages tests
    ensure_venv "$VENV" test
    ensure_converters
    ensure_networks
    build_native release
    build_jar
    ensure_model EfficientNet-Lite0
    convert_mobilenet
    archive_classes "$VENV"
}

# Suites of lane 0 run alone: they use every core, or, jvm, make the jars anew that others read. The other lanes run side
# by side: their suites wait for programs that start, and many of them use one core. On two cores a third lane gains
# nothing.
lane_of() {
    case $1 in
        golden* | integration) echo 1 ;;
        python | spark*) echo 2 ;;
        *) echo 0 ;;
    esac
}

run_lane() {
    for suite in "${SUITES[@]}"; do
        [ "$(lane_of "$suite")" != "$1" ] || run_suite "$suite"
    done
}

# Job control makes a process group of each lane, which an interrupt ends whole.
run_lanes_side_by_side() {
    local lane group groups=()
    set -m
    for lane in "${LANES[@]}"; do
        run_lane "$lane" &
        groups+=($!)
    done
    # shellcheck disable=SC2064 # the groups of now
    trap "kill -- ${groups[*]/#/-}; exit 130" INT TERM
    for group in "${groups[@]}"; do wait "$group"; done
}

main() {
    parse "$@"
    prepare
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS" "$LOGS"
    say "==> tests"
    run_lane 0
    run_lanes_side_by_side
    "$VENV/bin/python" "$TOP/scripts/summarize.py" "$RESULTS"
}

main "$@"
