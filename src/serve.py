"""`uvicorn src.serve:app`: the HTTP API, with the settings of the environment."""

from autoretrain.adapters.logs import configure_logging
from autoretrain.adapters.settings import Settings
from autoretrain.serving.app import create_app

settings = Settings()
configure_logging(settings.log_level)
app = create_app(settings)
