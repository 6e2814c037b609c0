"""Fetch the UCI SMS Spam Collection: `python scripts/download_data.py [--output data]`."""

import argparse
import sys
from pathlib import Path

from autoretrain.adapters.download import ATTRIBUTION, DownloadFailed, fetch_uci


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch the UCI SMS Spam Collection and check it.")
    parser.add_argument("--output", type=Path, default=Path("data"), help="directory for the file (default: data)")
    arguments = parser.parse_args()
    try:
        path = fetch_uci(arguments.output)
    except DownloadFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; what was fetched is kept and continued next time.\n")
        return 130
    sys.stdout.write(f"{path}\n{ATTRIBUTION}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
