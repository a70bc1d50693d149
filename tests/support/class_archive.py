# SPDX-License-Identifier: Apache-2.0
"""Makes the file from which Java maps Spark's classes (support/spark.py): those that the pipeline job loads, as a
virtual machine holds them once it has read and checked them."""

import subprocess
import sys
import tempfile
from pathlib import Path

from support import spark
from support.built import TINY, jar_path


def main() -> None:
    spark.CLASSES.unlink(missing_ok=True)
    keep = f"{spark.SHORT} -XX:ArchiveClassesAtExit={spark.CLASSES} -Xlog:cds=off"
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        subprocess.run([sys.executable, "-m", "pomona", "draw", "--count", "48", str(images)], check=True)
        options = ("--images", images, "--model", TINY, "--out", Path(folder) / "out")
        done = spark.submit(jar_path(), "pipeline", *options, conf={"spark.driver.extraJavaOptions": keep})
    sys.stdout.write(done.stdout + done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
