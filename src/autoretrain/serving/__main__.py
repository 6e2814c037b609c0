"""`python -m autoretrain.serving` is `autoretrain serve`, without the rest of the command line."""

import sys

from pydantic import ValidationError

from autoretrain.adapters.settings import Settings, settings_problems
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.serving.server import run_serving


def main() -> None:
    """Serve until a signal. Raises SystemExit with one sentence where it can't start."""
    try:
        run_serving(Settings())
    except ValidationError as error:
        sys.exit(settings_problems(error))
    except AutoRetrainError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
