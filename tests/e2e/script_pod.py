"""A server of a few lines on the cluster, in the image of serving, which is there."""

from tests.e2e.kubectl import Object

PORT = 8000


def script_server(name: str, program: str) -> tuple[Object, Object]:
    """Return a restricted Pod that runs `program`, which answers at PORT, and its Service of the same name."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": "autoretrain/serving:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "containers": [container],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": PORT}]},
    }
    return pod, service
