"""`python -m autoretrain.serving` is `autoretrain serve`, without the rest of the command line."""

from autoretrain.adapters.settings import Settings
from autoretrain.serving.server import run_serving

if __name__ == "__main__":
    run_serving(Settings())
