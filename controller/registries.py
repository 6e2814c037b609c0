"""Which registry is asked for a model? The one that its document names, with our login there, if it is allowed."""

from pathlib import Path
from typing import NoReturn

from autoretrain.adapters.registry_login import login_of_netrc, no_login
from autoretrain.adapters.registry_rest import RestRegistry
from autoretrain.domain.spec import SpamModel
from controller.allowed import NotAllowed, registered_model, registry_url
from controller.cluster import Object
from controller.settings import ControllerSettings


class RefusedRegistry:
    """In the place of a registry that must not be called: whatever is asked of it raises NotAllowed with `why`."""

    def __init__(self, why: str) -> None:
        self.why = why

    def versions(self) -> NoReturn:
        raise NotAllowed(self.why)

    def find_run(self, run_name: str) -> NoReturn:
        raise NotAllowed(self.why)

    def set_aliases(self, *, champion: str | None, candidate: str | None, previous: str | None) -> NoReturn:
        raise NotAllowed(self.why)

    def owner(self) -> NoReturn:
        raise NotAllowed(self.why)

    def claim(self, owner: str) -> NoReturn:
        raise NotAllowed(self.why)


class Registries:
    """One registry for each address and name that was asked for."""

    def __init__(self, settings: ControllerSettings) -> None:
        self._settings = settings
        # Never a SpamModel's Secret: one process that may read them in every namespace is what an attacker looks for.
        self._login = login_of_netrc(Path(settings.registry_netrc_file)) if settings.registry_netrc_file else no_login
        self._known: dict[tuple[str, str], RestRegistry] = {}

    def of(self, model: SpamModel, document: Object) -> RestRegistry | RefusedRegistry:
        """Return the registry of `model`. Nothing is called."""
        try:
            place = registry_url(document, self._settings), registered_model(model, self._settings)
        except NotAllowed as refused:
            return RefusedRegistry(str(refused))
        if place not in self._known:
            address, name = place
            self._known[place] = RestRegistry(address, name=name, login=self._login)
        return self._known[place]
