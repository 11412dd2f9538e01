"""The `myelin` command. Each command imports what it needs when it runs, so that the others start fast."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (by default that of the process); ends the program if the command fails."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["serve"]:
            from myelin.cli.serve import serve

            serve(words[1:])
        else:
            from myelin.cli.commands import run

            run(words)
    except KeyboardInterrupt:
        sys.exit(130)  # as shells count a program ended by Ctrl-C
    except BrokenPipeError:
        # Who read our output has enough of it; say no more, not even at exit.
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
