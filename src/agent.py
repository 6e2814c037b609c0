"""`python src/agent.py`: advises as spec.agent says; without an adviser, or with `--ask "why?"`, answers questions."""

import sys

from autoretrain.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["agent", *sys.argv[1:]]))
