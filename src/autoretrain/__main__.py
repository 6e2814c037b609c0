"""`python -m autoretrain` is the command `autoretrain`."""

import sys

from autoretrain.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
