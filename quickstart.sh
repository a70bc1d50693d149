#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian or Ubuntu machine to features, principal components and a report of a folder of JPEGs.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

usage() {
    cat <<'END'
usage: ./quickstart.sh [--images URI] [--model NAME|FILE] [--variance F] [--out DIR] [--overwrite]

Installs what it needs, builds, fetches the default weights, and runs the whole pipeline on Spark in local mode:
images -> features -> standard scaler -> principal components -> parquet and a report.

  --images URI       folder of JPEGs, in any depth; an image's label is the name of its folder
                     (default: 240 pictures of fruit, drawn into build/images)
  --model NAME|FILE  a name that `python -m pomona models list` shows, or a .safetensors file (default EfficientNet-Lite0)
  --variance F       share of the variance that the components keep (default 0.9)
  --out DIR          folder of the run (default out): features, pca, model, run.json, report.html
  --overwrite        replace what a run before left in DIR
  -h, --help

Builds, weights and drawn images stay in build/ for the next run. The last line counts images and errors; seconds is the
whole job once Spark has started, images_per_second the step from JPEGs to written features.
Exit status: 0 done, also when some images were bad; 2 usage, or DIR is there already; 3 bad input, model or I/O.
END
}

is_local() { case $1 in *://*) return 1 ;; esac }
is_glob() { case $1 in *['*?[{']*) ;; *) return 1 ;; esac }

parse() {
    IMAGES='' MODEL=EfficientNet-Lite0 VARIANCE=0.9 OUT=out OVERWRITE=()
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage && exit 0 ;;
            --overwrite) OVERWRITE=(--overwrite) && shift && continue ;;
            --images | --model | --variance | --out) [ $# -gt 1 ] || fail 2 "$1 needs a value (see --help)" ;;
            *) fail 2 "unknown option $1 (see --help)" ;;
        esac
        case $1 in
            --images) IMAGES=$2 ;;
            --model) MODEL=$2 ;;
            --variance) VARIANCE=$2 ;;
            --out) OUT=$2 ;;
        esac
        shift 2
    done
}

# What can be refused before anything is installed or built; the job itself checks again.
check() {
    awk -v v="$VARIANCE" 'BEGIN {exit !(v ~ /^[0-9]*\.?[0-9]+$/ && v > 0 && v <= 1)}' ||
        fail 2 "--variance $VARIANCE: a share of the variance lies above 0 and is at most 1"
    if [ -n "$IMAGES" ] && is_local "$IMAGES" && ! is_glob "$IMAGES" && [ ! -e "$IMAGES" ]; then
        fail 3 "no images found: there is no $IMAGES"
    fi
    case $MODEL in
        *://*) ;;
        */* | *.safetensors) [ -f "$MODEL" ] || fail 3 "no model file $MODEL" ;;
    esac
    if is_local "$OUT" && [ ${#OVERWRITE[@]} -eq 0 ] && [ -n "$(ls -A "$OUT" 2>/dev/null)" ]; then
        fail 2 "$OUT is there already: choose another --out, or --overwrite it"
    fi
}

draw() {
    rm -rf "$BUILD/images"
    pomona_python -m pomona draw "$BUILD/images"
}

# An absolute path makes Spark's default file system irrelevant.
located() { if is_local "$1"; then realpath -m "$1"; else echo "$1"; fi; }

prepare() {
    install_packages run
    ensure_venv "$VENV" run
    build_native release
    build_jar
    ensure_model "$MODEL"
    if [ -z "$IMAGES" ]; then
        [ -d "$BUILD/images" ] || say "==> drawing fruit"
        [ -d "$BUILD/images" ] || rm -f "$STAMPS/images"
        once images "$(hash_of "$PYTHON_SOURCES/pomona/draw")" quietly draw draw
        IMAGES=$BUILD/images
    fi
}

run_job() {
    export PYTHONPATH=$PYTHON_SOURCES PYSPARK_PYTHON=$VENV/bin/python POMONA_LOG=$LOGS/spark.log
    mkdir -p "$LOGS"
    local bar=false java="-Dlog4j2.configurationFile=file://$TOP/scripts/log4j2.properties"
    [ ! -t 2 ] || bar=true
    java+=" -XX:TieredStopAtLevel=1" # the work is native: docs/tuning.md, Spark
    "$VENV/bin/spark-submit" --master 'local[*]' --driver-memory 2g --jars "$(jar)" \
        --conf "spark.ui.showConsoleProgress=$bar" \
        --driver-java-options "$java" \
        "$TOP/spark-jobs/jobs/pipeline.py" --images "$(located "$IMAGES")" --model "$(located "$MODEL_FILE")" \
        --variance "$VARIANCE" --out "$OUT" "${OVERWRITE[@]}"
}

main() {
    parse "$@"
    check
    prepare
    say "==> Spark: $IMAGES -> $OUT"
    run_job || fail $? "the job ended without its result; Spark's own messages: $LOGS/spark.log"
}

main "$@"
