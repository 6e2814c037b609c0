"""The command `autoretrain`, also as `python -m autoretrain`: loads the program quietly and hands over to it."""

import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Ctrl-C ends it without a trace even while it still loads."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from autoretrain.cli.main import main as command

    signal.signal(signal.SIGINT, before)
    return command(argv)


if __name__ == "__main__":
    sys.exit(main())
