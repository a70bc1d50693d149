# SPDX-License-Identifier: Apache-2.0
"""The second half of pipeline.py: DIR/features to DIR/pca, DIR/model and DIR/report.html, for any --variance."""

import sys
import time

from pomona.pipeline import runs
from pomona.pipeline.command import make_parser, run


def reduce(spark, arguments):
    begin = time.monotonic()
    facts = runs.reduce(spark, arguments, runs.load_record(spark, arguments.out))
    print(runs.summary(facts, time.monotonic() - begin, arguments.out), flush=True)


if __name__ == "__main__":
    sys.exit(run(reduce, "reduce", make_parser(__doc__, featurizes=False).parse_args()))
