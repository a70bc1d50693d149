# SPDX-License-Identifier: Apache-2.0
"""`python -m pomona COMMAND ...`. Exit status: 0 all well, 2 usage, 3 bad model, input, or I/O."""

import argparse
import importlib
import sys
from typing import List, Optional

from pomona import PomonaError, __version__

# One line a command: a module with HELP, add_arguments(parser) and run(arguments) -> exit status, cheap to import.
COMMANDS = {
    "draw": "pomona.draw.command",
    "models": "pomona.models.command",
    "report": "pomona.report.command",
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pomona", description="The Python side of Pomona.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Optional[List[str]] = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (PomonaError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
