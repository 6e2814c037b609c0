"""How do manual verbs stand in a SpamModel's annotations? One table for those who write them and those who obey."""

from typing import Final

PREFIX: Final = "autoretrain.dev/"

ANNOTATIONS: Final = {
    "retrain": f"{PREFIX}retrain-requested",
    "rollback": f"{PREFIX}rollback-requested",
    "approve_version": f"{PREFIX}approve",
    "promote_version": f"{PREFIX}promote-requested",
    "promote_token": f"{PREFIX}promote-token",
    "actor": f"{PREFIX}actor",
    "reason": f"{PREFIX}reason",
}
"""Field of `Requests` -> annotation."""
