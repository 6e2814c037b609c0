"""`python src/monitor.py --check-now`: one check, or without it the loop that measures, decides and acts."""

import sys

from autoretrain.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["monitor", *sys.argv[1:]]))
