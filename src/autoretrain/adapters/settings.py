"""Which settings this machine gives: environment variables `AUTORETRAIN_*`, parsed once, all errors at once."""

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOGIN_IN_ADDRESS: Final = re.compile(r"//[^/\s]*@")


class Settings(BaseSettings):
    """Each field is an environment variable of the same name in capitals with the prefix `AUTORETRAIN_`.

    An empty variable is as one that is not set.
    """

    model_config = SettingsConfigDict(env_prefix="AUTORETRAIN_", extra="ignore", frozen=True, env_ignore_empty=True)

    spec: Path = Field(Path("examples/sms-spam.yaml"), description="SpamModel document that the commands read.")
    state_dir: Path = Field(Path(".autoretrain"), description="Directory of this machine's state.")
    data: Path | None = Field(None, description="Local file of labelled messages to use instead of spec.data.")
    data_authorization: SecretStr = Field(
        SecretStr(""), description="Authorization header for spec.data.http.url; a cluster sets it from secretRef."
    )
    # By AWS's own names, so that the Secret of spec.data.s3 and a login that a shell has already both do.
    aws_access_key_id: SecretStr = Field(
        SecretStr(""), validation_alias="AWS_ACCESS_KEY_ID", description="Login for spec.data.s3; empty: not signed."
    )
    aws_secret_access_key: SecretStr = Field(
        SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY", description="Secret of that login."
    )
    aws_session_token: SecretStr = Field(
        SecretStr(""), validation_alias="AWS_SESSION_TOKEN", description="Token of that login where it is temporary."
    )
    model: str = Field("default.sms-spam", description="`<namespace>.<name>` of the model that serving serves.")
    store_url: str = Field("", description="SQLAlchemy address of the store; empty: SQLite in the state directory.")
    mlflow_tracking_uri: str = Field(
        "sqlite:///mlflow.db",
        validation_alias=AliasChoices("AUTORETRAIN_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow tracking and registry address; MLFLOW_TRACKING_URI is read as well.",
    )
    # By the names that MLflow reads, so that one Secret is for training and for serving.
    mlflow_tracking_username: str = Field(
        "", validation_alias="MLFLOW_TRACKING_USERNAME", description="Login at that MLflow, with a password."
    )
    mlflow_tracking_password: SecretStr = Field(
        SecretStr(""), validation_alias="MLFLOW_TRACKING_PASSWORD", description="Password of that login."
    )
    mlflow_tracking_token: SecretStr = Field(
        SecretStr(""), validation_alias="MLFLOW_TRACKING_TOKEN", description="Bearer token instead of a login."
    )
    registered_model_name: str = Field("", description="Name in the registry; empty: that of AUTORETRAIN_MODEL.")
    host: str = Field("127.0.0.1", description="Address that local services listen on.")
    serving_port: int = Field(8000, ge=1, le=65535, description="Port of the HTTP API.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the local MLflow server.")
    serving_url: str = Field("", description="Where serving is asked; empty: AUTORETRAIN_HOST at its port.")
    dashboard_port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard.")
    dashboard_key: SecretStr = Field(
        SecretStr(""),
        description="Key that a person types on the dashboard to label and to act; empty: on one machine anybody may, "
        "on a cluster nobody.",
    )
    dashboard_show_messages: bool = Field(
        False,
        description="Show messages as they were sent, to everybody; else words that few messages have are masked.",
    )
    dashboard_namespaces: str = Field(
        "", description="On a cluster: namespaces whose SpamModels the dashboard shows, with commas; * for all."
    )
    dashboard_stores: Path | None = Field(
        None, description="On a cluster: directory with a file a namespace, which holds the address of its store."
    )
    prometheus_url: str = Field(
        "", description="On a cluster: Prometheus that the dashboard asks for figures of serving."
    )
    monitor_port: int = Field(8002, ge=1, le=65535, description="Port of the monitor's own /metrics.")
    audit_rate: float = Field(0.01, ge=0, le=1, description="Share of predictions drawn for labelling.")
    status_file: Path | None = Field(
        None, description="On a cluster: file with the resource's status, which the monitor goes by."
    )
    served_version: str = Field("", description="On a cluster: the version to serve, instead of asking the store.")
    served_digest: str = Field("", description="Digest of that version's artefact, without which it is not served.")
    served_experiment: str = Field(
        "", description="JSON object {mode, version, digest, percent} of a second version; empty: none."
    )
    termination_file: Path | None = Field(
        None, description="On a cluster: file into which a server that never got ready writes why, as it ends."
    )
    api_keys_file: Path | None = Field(
        None, description="File of `source: key` lines; empty: no keys, feedback is anonymous."
    )
    api_keys_for: Literal["Labels", "Everything"] = Field(
        "Labels", description="What needs one of these keys: only /labels, or everything but probes and metrics."
    )
    requests_per_second: int = Field(
        0, ge=0, description="Most requests a second that serving answers one key's source, or address; 0: no limit."
    )
    api_key: SecretStr = Field(SecretStr(""), description="Key that `autoretrain label` shows to a cluster's API.")
    drift_threshold: float = Field(0.15, gt=0, lt=1, description="Score above which /drift/calculate says triggered.")
    drift_min_samples: int = Field(200, ge=1, description="Messages below which /drift/calculate says inconclusive.")
    window_max_age_seconds: int = Field(
        86_400, ge=60, description="Age in seconds up to which a message counts in /metrics/performance."
    )
    root_path: str = Field("", description="Path below which a proxy shows the HTTP API, as /sms; empty: none.")
    agent_base_url: str = Field(
        "", description="Address of a server that speaks spec.agent.model's API; empty: the provider's own."
    )
    agent_api_key: SecretStr = Field(
        SecretStr(""),
        description="Key for that address; the provider's own is read by its own name, as OPENAI_API_KEY.",
    )
    agent_interval_seconds: int = Field(60, ge=1, description="Least time between two questions to the chat model.")
    agent_seconds: float = Field(30, gt=0, le=600, description="Most time for one advice or answer, all calls of it.")
    agent_tokens_per_call: int = Field(2000, ge=1, description="Most tokens of one answer of the chat model.")
    agent_calls_per_day: int = Field(500, ge=0, description="Most calls of the chat model in a day, `ask` included.")
    agent_tokens_per_day: int = Field(1_000_000, ge=0, description="Most tokens of it within a day, in and out.")
    agent_input_price: float | None = Field(
        None, ge=0, description="Dollars for a million tokens that the chat model reads; empty: no cost is told."
    )
    agent_output_price: float | None = Field(
        None, ge=0, description="Dollars for a million tokens that it writes; empty: no cost is told."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    def resolved_store_url(self) -> str:
        return self.store_url or f"sqlite:///{(self.state_dir / 'store.db').as_posix()}"

    def resolved_serving_url(self) -> str:
        return self.serving_url or f"http://{self.host}:{self.serving_port}"

    def monitor_url(self) -> str:
        """Where the monitor of this machine gives its metrics."""
        return f"http://{self.host}:{self.monitor_port}"


def settings_problems(error: ValidationError, *, prefix: str = "AUTORETRAIN_") -> str:
    """Return what is wrong with the environment, a line a variable; a login in an address is left out."""
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else error.title
        variable = name if name.isupper() else f"{prefix}{name.upper()}"
        given = _LOGIN_IN_ADDRESS.sub("//", str(problem["input"]))
        lines.append(f"{variable}={given}: {problem['msg']}")
    return "\n".join(lines)
