# SPDX-License-Identifier: Apache-2.0
"""Images to features, principal components, parquet and a report:

spark-submit --jars pomona-spark.jar --py-files pomona.whl pipeline.py --images URI --model FILE --out DIR
"""

import sys
import time

from pomona.pipeline import runs
from pomona.pipeline.command import make_parser, run


def pipeline(spark, arguments):
    begin = time.monotonic()
    facts = runs.reduce(spark, arguments, runs.featurize(spark, arguments))
    print(runs.summary(facts, time.monotonic() - begin, arguments.out), flush=True)


if __name__ == "__main__":
    sys.exit(run(pipeline, "pipeline", make_parser(__doc__.splitlines()[0]).parse_args()))
