"""The message store: predictions, labels, drift windows, artefacts, the deployment and the ledger in one database."""

from autoretrain.adapters.store.store import Store

__all__ = ["Store"]
