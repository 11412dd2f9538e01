"""How a command ends when something is wrong that the user can put right: a line on standard error and exit code 2."""

import sys
from typing import NoReturn

EXIT_CODE = 2


def complain(message: str) -> NoReturn:
    """Say what is wrong and end the program."""
    for line in message.splitlines() or ["failed"]:
        sys.stderr.write(f"myelin: {line}\n")
    sys.exit(EXIT_CODE)
