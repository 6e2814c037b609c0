"""Models at rest under an operator whose defaults change, and a Deployment controller that is told what Pods do."""

import asyncio
import copy
import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from autoretrain.domain.observation import RegistryVersion
from autoretrain.domain.spec import SpamModel
from controller.cache import Key
from controller.cluster import DEPLOYMENT, SPAM_MODEL, Object
from controller.passes import PassEnd
from tests.operator.operator_world import DEFAULTS, KEY, FakeRegistry, OperatorWorld, settled

OLD, NEW, NEWER = "serving:1", "serving:2", "serving:3"


@cache
def resting_model() -> str:
    """A SpamModel, as JSON, whose first version is served and has stood its guard."""
    world = OperatorWorld()
    world.create_model()
    settled(world)
    for _ in range(3):
        world.wait(86_400)
        world.make_pass()
    assert world.status.guard.ended
    return json.dumps(world.resource)


@dataclass
class Fleet(OperatorWorld):
    """`pods` has the template whose Pods serve each model, `stuck` the models whose newest Pods don't become ready."""

    models: int = 6
    pods: dict[Key, Object] = field(default_factory=dict)
    stuck: set[Key] = field(default_factory=set)
    registries: dict[Key, FakeRegistry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.keys = [(f"team-{number}", KEY[1]) for number in range(self.models)]
        for namespace, name in self.keys:
            resource = json.loads(resting_model())
            resource["metadata"] = {"name": name, "namespace": namespace, "uid": f"uid-of-{namespace}"}
            self.cluster.put(resource)
        for _ in range(3):
            for key in self.keys:
                self.pass_over(key)
                self.let_pods_follow(key)
        self.wait(60)

    def registry_of(self, model: SpamModel, _document: Object) -> FakeRegistry:
        return self.registry_at((model.namespace, model.name))

    def registry_at(self, key: Key) -> FakeRegistry:
        return self.registries.setdefault(key, FakeRegistry())

    def register(self, key: Key, version: str) -> None:
        known = self.registry_at(key).known
        known[version] = RegistryVersion(version=version, digest=f"sha256:{version}", alias="", run_id="")

    def upgrade(self, image: str) -> None:
        """Let a controller with another default take the place of this one."""
        self.defaults = replace(DEFAULTS, serving_image=image)
        self.start()

    def pass_over(self, key: Key, *, deliver: bool = True) -> PassEnd:
        if deliver:
            self.cluster.deliver(self.passes.cache)
        return asyncio.run(self.passes.make(key))

    def pass_over_all(self) -> None:
        for key in self.keys:
            self.pass_over(key)

    def pass_over_all_at_once(self) -> None:
        """Let all ask before any call has ended."""
        self.cluster.deliver(self.passes.cache)
        apply = self.cluster.apply

        async def slow(thing: Object, **options: Any) -> Object:
            for _ in range(20):
                await asyncio.sleep(0)
            return await apply(thing, **options)

        async def together() -> None:
            await asyncio.gather(*map(self.passes.make, self.keys))

        self.cluster.apply = slow
        asyncio.run(together())
        self.cluster.apply = apply

    def edit(self, key: Key, **annotations: str) -> None:
        """Let somebody ask for other annotations on serving's Pods."""
        thing = copy.deepcopy(self.model(key))
        thing["spec"]["serving"]["podTemplate"] = {"annotations": annotations}
        self.cluster.put(thing)

    def ask(self, key: Key, **verbs: str) -> None:
        """Let somebody annotate the SpamModel with a manual verb."""
        thing = copy.deepcopy(self.model(key))
        named = {f"autoretrain.dev/{name.replace('_', '-')}": value for name, value in verbs.items()}
        thing["metadata"].setdefault("annotations", {}).update(named)
        self.cluster.put(thing)

    def let_pods_follow(self, key: Key, *, ready: bool = True) -> None:
        """Let the Pods of every Deployment of the model be of its newest template, or not become ready in time."""
        for component in ("serving", "monitor"):
            thing = self.cluster.objects.get((DEPLOYMENT.name, key[0], f"{key[1]}-{component}"))
            if thing is not None:
                wanted = thing["spec"]["replicas"]
                counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
                status: dict[str, Any] = dict.fromkeys(counts, wanted)
                reason = "NewReplicaSetAvailable"
                if not ready:
                    status.update(replicas=wanted + 1, updatedReplicas=1, unavailableReplicas=1)
                    reason = "ProgressDeadlineExceeded"
                condition = {"type": "Progressing", "status": str(ready), "reason": reason}
                status |= {"observedGeneration": thing["metadata"]["generation"], "conditions": [condition]}
                if thing.get("status") != status:
                    self.cluster.put({**thing, "status": status})
        if self.serving(key) is None:
            return
        if ready:
            self.pods[key] = copy.deepcopy(self.template(key))
            self.stuck.discard(key)
        elif self.template(key) != self.pods[key]:
            self.stuck.add(key)

    # What can be seen.

    def model(self, key: Key) -> Object:
        return self.cluster.objects[SPAM_MODEL.name, *key]

    def serving(self, key: Key) -> Object | None:
        return copy.deepcopy(self.cluster.objects.get((DEPLOYMENT.name, key[0], f"{key[1]}-serving")))

    def template(self, key: Key) -> Object:
        serving = self.serving(key)
        assert serving is not None
        template: Object = serving["spec"]["template"]
        return template

    def image(self, key: Key) -> str:
        return image_of(self.template(key))

    def having(self, image: str) -> list[Key]:
        return [key for key in self.keys if self.image(key) == image]

    def version(self, key: Key) -> str:
        version: str = self.template(key)["metadata"]["annotations"]["autoretrain.dev/model-version"]
        return version

    def rolled_by_the_operator(self) -> list[Key]:
        """The models whose Pods have yet to follow a template in which nothing but the image is new."""
        return [
            key
            for key in self.keys
            if key not in self.stuck
            and self.image(key) != image_of(self.pods[key])
            and with_image(self.template(key), "") == with_image(self.pods[key], "")
        ]

    def ready(self, key: Key) -> tuple[str, str, str]:
        [found] = [each for each in self.model(key)["status"]["conditions"] if each["type"] == "Ready"]
        return found["status"], found["reason"], found["message"]


def image_of(template: Object) -> str:
    image: str = template["spec"]["containers"][0]["image"]
    return image


def with_image(template: Object, image: str) -> Object:
    changed = copy.deepcopy(template)
    changed["spec"]["containers"][0]["image"] = image
    return changed
