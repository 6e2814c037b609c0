"""Which Pod of a component is there to be called, and what keeps one from starting?"""

from controller.cache import Key, WatchCache
from controller.children.parent import Component
from controller.cluster import POD, Object
from controller.runs import pod_trouble


def running_host(cache: WatchCache, key: Key, component: Component) -> str | None:
    """Return the host of the newest Pod that runs and does not end, as it stands in an address; None without one."""
    running = [
        (pod["metadata"].get("creationTimestamp", ""), pod["status"]["podIP"])
        for pod in _pods(cache, key, component)
        if pod.get("status", {}).get("podIP")
        and pod["status"].get("phase") == "Running"
        and "deletionTimestamp" not in pod["metadata"]
    ]
    if not running:
        return None
    _, host = max(running)
    return f"[{host}]" if ":" in host else str(host)


def trouble_of(cache: WatchCache, key: Key, component: Component) -> str:
    """Return why a Pod of the component does not start, '' where none is in trouble."""
    return next((trouble for pod in _pods(cache, key, component) if (trouble := pod_trouble(pod))), "")


def _pods(cache: WatchCache, key: Key, component: Component) -> list[Object]:
    label = "app.kubernetes.io/component"
    return [pod for pod in cache.of_model(POD, key) if pod["metadata"].get("labels", {}).get(label) == component]
