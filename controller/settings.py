"""Which settings does the controller run with? Environment `AUTORETRAIN_CONTROLLER_*`, parsed once."""

import socket
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ControllerSettings(BaseSettings):
    """Each field is an environment variable of the same name in capitals with the prefix `AUTORETRAIN_CONTROLLER_`."""

    model_config = SettingsConfigDict(
        env_prefix="AUTORETRAIN_CONTROLLER_", extra="ignore", frozen=True, populate_by_name=True
    )

    namespaces: str = Field("", description="Namespaces to look after, with commas between; empty: all of them.")
    own_namespace: str = Field(
        "autoretrain-system",
        validation_alias=AliasChoices("AUTORETRAIN_CONTROLLER_OWN_NAMESPACE", "POD_NAMESPACE"),
        description="Namespace of the controller itself, where its Lease is.",
    )
    identity: str = Field(
        default_factory=socket.gethostname,
        validation_alias=AliasChoices("AUTORETRAIN_CONTROLLER_IDENTITY", "POD_NAME"),
        description="Name of this replica in the Lease and in events.",
    )
    cluster_id: str = Field("", description="Tells this cluster from others that share a registry.")

    # What children are made with where a SpamModel says nothing.
    serving_image: str = Field("autoretrain/serving:dev", description="Image of serving Pods.")
    training_image: str = Field("autoretrain/trainer:dev", description="Image of training Jobs.")
    monitor_image: str = Field("autoretrain/trainer:dev", description="Image of monitor Pods.")
    mlflow_tracking_uri: str = Field("http://mlflow.autoretrain-system:5000", description="Address of MLflow.")
    prometheus_url: str = Field("http://prometheus.autoretrain-system:9090", description="Address of Prometheus.")
    prometheus_allowed: str = Field(
        "", description="Other Prometheus addresses that a SpamModel may name, with commas between."
    )
    store_secret_name: str = Field("autoretrain-store", description="Secret with the store's address, per namespace.")
    store_secret_key: str = Field("url", description="Entry of that Secret.")

    # How it works.
    leader_election: bool = Field(False, description="Hold a Lease; needed with more than one replica.")
    lease_name: str = Field("autoretrain-controller", description="Name of that Lease.")
    workers: int = Field(4, ge=1, le=64, description="Passes at the same time.")
    queue_size: int = Field(10_000, ge=1, description="Resources that can be looked after.")
    request_seconds: float = Field(10.0, gt=0, le=60, description="Time limit of one API call.")
    pass_seconds: float = Field(60.0, gt=0, le=600, description="Time limit of one pass.")
    resync_seconds: float = Field(
        600.0, ge=10, description="Time between two listings, which repair what watches lost and prune decisions."
    )
    port: int = Field(8080, ge=1, le=65535, description="Port of /livez, /readyz and /metrics.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Level of the log.")

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """The namespaces by name; empty means all."""
        return tuple(name.strip() for name in self.namespaces.split(",") if name.strip())

    @property
    def allowed_prometheus(self) -> frozenset[str]:
        """Their addresses as they are compared, without a slash at the end."""
        return frozenset(url.strip().rstrip("/") for url in self.prometheus_allowed.split(",") if url.strip())
