"""The HTTP API over one atomically replaced model."""
