# SPDX-License-Identifier: Apache-2.0
"""python -m pomona report RUN_DIR: draws report.html of a run again."""

import json
from pathlib import Path

from pomona import PomonaError

HELP = "draw report.html of a run again"


def add_arguments(parser):
    parser.add_argument("run_dir", metavar="RUN_DIR", help="folder that the pipeline wrote; RUN_DIR/run.json is read")


def run(arguments):
    from pomona.report import render

    folder = Path(arguments.run_dir)
    try:
        page = render(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise PomonaError(f"{folder} holds no run.json: give the --out folder of a run of the pipeline") from error
    except (ValueError, KeyError) as error:
        raise PomonaError(f"{folder}/run.json is not complete ({error!r}): run the pipeline to its end") from error
    (folder / "report.html").write_text(page, encoding="utf-8")
    print(folder / "report.html")
    return 0
