# SPDX-License-Identifier: Apache-2.0
"""The first half of pipeline.py: images to DIR/features (path, label, features, error)."""

import sys

from pomona.pipeline import runs
from pomona.pipeline.command import make_parser, run


def featurize(spark, arguments):
    facts = runs.featurize(spark, arguments)
    rate = facts["images_per_second"]
    print(
        f"images={facts['images']} errors={facts['errors']} images_per_second={rate:.1f} out={arguments.out}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(run(featurize, "featurize", make_parser(__doc__, reduces=False).parse_args()))
