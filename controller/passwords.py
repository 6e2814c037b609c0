"""Which passwords does a new installation get? Random ones, made in the cluster once; a Secret that exists stays.

`python -m controller.passwords` runs as a Job whose account may create Secrets in its own namespace and nothing else:
it can neither read one nor change one. All passwords are in one Secret, so there is never half of them.
"""

import json
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API: Final = "https://kubernetes.default.svc"
NAME: Final = "postgres-passwords"
SECONDS: Final = 10.0
ATTEMPTS: Final = 5
PAUSE_SECONDS: Final = 2.0


def build_secret(namespace: str, *, password: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> dict[str, Any]:
    """Return the Secret: a password a role (letters, digits, `-`, `_`), and as `url` the store's address with it."""
    store = password()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "autoretrain"}},
        "immutable": True,
        "stringData": {
            "postgres": password(),
            "mlflow": password(),
            "autoretrain": store,
            "url": f"postgresql://autoretrain:{store}@postgres.{namespace}:5432/autoretrain",
        },
    }


def create_secret(api: str, *, token: str, body: dict[str, Any], context: ssl.SSLContext | None) -> bool:
    """Create it. Returns False where there is one of that name. Raises OSError where the API server can't be asked."""
    namespace = body["metadata"]["namespace"]
    request = urllib.request.Request(  # noqa: S310 - the address is our own constant
        f"{api}/api/v1/namespaces/{namespace}/secrets",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=context):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.CONFLICT:
            return False
        raise


def main() -> int:
    namespace = (ACCOUNT / "namespace").read_text().strip()
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    body = build_secret(namespace)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            created = create_secret(API, token=(ACCOUNT / "token").read_text(), body=body, context=context)
        except OSError as error:
            sys.stderr.write(f"attempt {attempt} of {ATTEMPTS}: {error}\n")
            time.sleep(PAUSE_SECONDS)
            continue
        sys.stdout.write(f"Secret {NAME} {'is created' if created else 'was there and stays as it is'}\n")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
