# SPDX-License-Identifier: Apache-2.0
"""python -m pomona.report RUN_DIR: draws report.html of a run again."""

import argparse
import json
import sys
from pathlib import Path

from pomona.report import render


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m pomona report", description="Draws RUN_DIR/report.html from RUN_DIR/run.json.")
    parser.add_argument("run", metavar="RUN_DIR", help="folder that the pipeline wrote")
    folder = Path(parser.parse_args(argv).run)
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        page = render(facts)
    except FileNotFoundError:
        print(f"report: {folder} holds no run.json: give the --out folder of a run of the pipeline", file=sys.stderr)
        return 3
    except (ValueError, KeyError) as error:
        print(f"report: {folder}/run.json is not complete ({error!r}): run the pipeline to its end", file=sys.stderr)
        return 3
    (folder / "report.html").write_text(page, encoding="utf-8")
    print(folder / "report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
