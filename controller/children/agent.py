"""Who advises? One agent Pod a model, where the document asks for one. It has the chat model's key and nothing else's.

It gets no word of a message and no right on the cluster: the controller brings figures to its port and takes advice.
"""

from typing import Any, Final

from controller.children.parent import Component, Parent
from controller.children.pods import Container
from controller.children.single import build_single, metrics_port
from controller.cluster import Object

PORT: Final = 8003
_REQUESTS: Final = {"cpu": "50m", "memory": "256Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "512Mi"}


def build_agent(parent: Parent) -> Object:
    """Return the agent's Deployment. Two at once could ask twice as often as the budget allows."""
    return build_single(
        parent,
        Component.AGENT,
        name=parent.agent_name,
        port=PORT,
        container=_build_container(parent),
        template=parent.spec["agent"].get("podTemplate", {}),
    )


def _build_container(parent: Parent) -> Container:
    agent: dict[str, Any] = parent.spec["agent"]
    key = agent.get("secretRef")
    return Container(
        image=parent.defaults.agent_image,
        requests=_REQUESTS,
        limits=_LIMITS,
        arguments=[agent["model"], f"--port={PORT}"],
        secret_environments=[key["name"]] if key else [],
        uses_registry=False,
        options=metrics_port(PORT),
    )
