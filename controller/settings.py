"""Which settings does the controller run with? Environment `AUTORETRAIN_CONTROLLER_*`, parsed once."""

import re
import socket
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from autoretrain.adapters.registry_login import BadLogin, read_netrc

PREFIX: Final = "AUTORETRAIN_CONTROLLER_"
_ADDRESS: Final = re.compile(r"https?://[^\s,?#]+")


class ControllerSettings(BaseSettings):
    """Each field is an environment variable of the same name in capitals with the prefix `AUTORETRAIN_CONTROLLER_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True)

    namespaces: str = Field("", description="Namespaces to look after, with commas between; empty: all of them.")
    own_namespace: str = Field(
        "autoretrain-system",
        validation_alias=AliasChoices("AUTORETRAIN_CONTROLLER_OWN_NAMESPACE", "POD_NAMESPACE"),
        description="Namespace of the controller itself, where its Lease is.",
    )
    identity: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{uuid4().hex[:8]}",
        validation_alias=AliasChoices("AUTORETRAIN_CONTROLLER_IDENTITY", "POD_NAME"),
        description="Name of this replica in the Lease and in events; by default the host's with a random end.",
    )
    cluster_id: str = Field("", description="Tells this cluster from others that share a registry.")

    # What children are made with where a SpamModel says nothing.
    serving_image: str = Field("autoretrain/serving:dev", description="Image of serving Pods.")
    training_image: str = Field("autoretrain/trainer:dev", description="Image of training Jobs.")
    monitor_image: str = Field("autoretrain/trainer:dev", description="Image of monitor Pods.")
    agent_image: str = Field("autoretrain/agent:dev", description="Image of agent Pods.")
    mlflow_tracking_uri: str = Field("http://mlflow.autoretrain-system:5000", description="Address of MLflow.")
    registry_netrc_file: str = Field(
        "", description="File of the operator's own logins at MLflow servers, in the netrc format; empty: none."
    )
    registry_allowed: str = Field(
        "", description="Other MLflow addresses that a SpamModel may name, with commas between."
    )
    registered_models_allowed: str = Field(
        "",
        description="Registered models outside `<namespace>.` that SpamModels may use: shell patterns, commas between.",
    )
    prometheus_url: str = Field("http://prometheus.autoretrain-system:9090", description="Address of Prometheus.")
    prometheus_allowed: str = Field(
        "", description="Other Prometheus addresses that a SpamModel may name, with commas between."
    )
    dashboard_url: str = Field("", description="Address of the dashboard, for links in alerts; empty: no link.")
    store_secret_name: str = Field("autoretrain-store", description="Secret with the store's address, per namespace.")
    store_secret_key: str = Field("url", description="Entry of that Secret.")

    # How it works.
    lease_name: str = Field("autoretrain-controller", description="Name of the Lease that the one which decides holds.")
    workers: int = Field(4, ge=1, le=64, description="Passes at the same time.")
    queue_size: int = Field(10_000, ge=1, description="Resources that can be looked after.")
    request_seconds: float = Field(10.0, gt=0, le=60, description="Time limit of one API call.")
    max_concurrent_rollouts: int = Field(
        5,
        ge=1,
        description="Models whose serving an upgrade of the operator rolls at a time; as many failed ones stop it.",
    )
    pass_seconds: float = Field(60.0, gt=0, le=600, description="Time limit of one pass.")
    resync_seconds: float = Field(
        600.0, ge=10, description="Time between two listings, which repair what watches lost and prune decisions."
    )
    port: int = Field(8080, ge=1, le=65535, description="Port of /livez, /readyz and /metrics.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Level of the log.")

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """The namespaces by name; empty means all."""
        return _listed(self.namespaces)

    @property
    def allowed_prometheus(self) -> frozenset[str]:
        """Their addresses as they are compared, without a slash at the end."""
        return frozenset(url.rstrip("/") for url in _listed(self.prometheus_allowed))

    @property
    def allowed_registries(self) -> frozenset[str]:
        """Their addresses in the same way."""
        return frozenset(url.rstrip("/") for url in _listed(self.registry_allowed))

    @property
    def allowed_registered_models(self) -> tuple[str, ...]:
        """The patterns that their names match."""
        return _listed(self.registered_models_allowed)

    @field_validator("mlflow_tracking_uri", "prometheus_url")
    @classmethod
    def _is_address(cls, text: str) -> str:
        _check_address(text)
        return text

    @field_validator("registry_allowed", "prometheus_allowed")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        for address in _listed(text):
            _check_address(address)
        return text

    @field_validator("mlflow_tracking_uri", "registry_allowed")
    @classmethod
    def _has_no_login(cls, text: str) -> str:
        if any("@" in urlsplit(address).netloc for address in _listed(text)):
            # Children get the address, so each namespace would see the operator's login.
            raise ValueError(f"a login has no place in an http(s) address; write it into {PREFIX}REGISTRY_NETRC_FILE")
        return text

    @field_validator("registry_netrc_file")
    @classmethod
    def _is_netrc(cls, file: str) -> str:
        try:
            if file:
                read_netrc(Path(file))
        except BadLogin as error:
            raise ValueError(str(error)) from None
        return file


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _check_address(text: str) -> None:
    try:
        parts = urlsplit(text) if _ADDRESS.fullmatch(text) else None
        good = parts is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # what is no port, or no address of IPv6
        good = False
    if not good:
        raise ValueError("an address http://HOST or https://HOST is needed, with a port and a path if it has them")
