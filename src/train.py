"""`python src/train.py --experiment-name X`: train a candidate and register it. All of it is `autoretrain train`."""

import sys

from autoretrain.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
