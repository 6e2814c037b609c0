"""`python src/agent.py [--ask "why did you retrain?"]`: questions about the records, answered in plain words."""

import sys

from autoretrain.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["ask", *sys.argv[1:]]))
