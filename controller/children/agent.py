"""Who advises? One agent Pod a model, where the document asks for one. It has the chat model's key and nothing else's.

It gets no word of a message and no right on the cluster: the controller brings figures to its port and takes advice.
"""

from typing import Any, Final

from controller.children.monitor import metrics_probes
from controller.children.parent import Component, Parent
from controller.children.pods import Container, build_pod
from controller.children.serving import scrape_annotations
from controller.cluster import Object

PORT: Final = 8003
_REQUESTS: Final = {"cpu": "50m", "memory": "256Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "512Mi"}


def build_agent(parent: Parent) -> Object:
    """Return the agent's Deployment. Two at once could ask twice as often as the budget allows, hence Recreate."""
    template = parent.spec["agent"].get("podTemplate", {})
    pod = build_pod(
        parent,
        Component.AGENT,
        container=_build_container(parent),
        template=template,
        annotations=scrape_annotations(PORT),
    )
    return parent.child(
        "Deployment",
        "apps/v1",
        name=parent.agent_name,
        component=Component.AGENT,
        labels=template.get("labels"),
        body={
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 1,
                "selector": {"matchLabels": parent.selector(Component.AGENT)},
                "strategy": {"type": "Recreate"},
                "template": pod,
            }
        },
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
        options={"ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}], **metrics_probes()},
    )
