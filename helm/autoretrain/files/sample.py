"""Which SpamModel does a new installation begin with? The document of the first argument; one that is there stays.

A Job runs it after an installation and an upgrade. The kind may be younger than the API server's list of kinds, and
rights take a moment to hold, so 404 and 403 are asked again, as is a server that does not answer.
"""

import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API = "https://kubernetes.default.svc"
SECONDS = 90.0
PAUSE_SECONDS = 2.0
CONFLICT, FORBIDDEN, NOT_FOUND, SERVERS_FAULT = 409, 403, 404, 500


def create(api: str, document: dict[str, Any], *, token: str, context: ssl.SSLContext | None = None) -> str:
    """Create it and return what came of it. Raises OSError where it is neither made nor there."""
    group, namespace = document["apiVersion"], document["metadata"]["namespace"]
    request = urllib.request.Request(  # noqa: S310 - the API server's address
        f"{api}/apis/{group}/namespaces/{namespace}/spammodels",
        data=json.dumps(document).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10, context=context):  # noqa: S310 - as above
            return "is created"
    except urllib.error.HTTPError as error:
        if error.code == CONFLICT:
            return "was there and stays as it is"
        error.msg = error.read().decode(errors="replace")
        raise


def create_in_time(api: str, document: dict[str, Any], *, seconds: float, **options: Any) -> int:
    """Try until it is there; no longer than `seconds`, and not again after a refusal that time does not change."""
    until = time.monotonic() + seconds
    while True:
        try:
            done = create(api, document, **options)
        except OSError as error:
            sys.stderr.write(f"{error}\n")
            code = getattr(error, "code", SERVERS_FAULT)
            passing = code in {FORBIDDEN, NOT_FOUND} or code >= SERVERS_FAULT
            if not passing or time.monotonic() > until:
                return 1
            time.sleep(PAUSE_SECONDS)
        else:
            sys.stdout.write(f"SpamModel {document['metadata']['name']} {done}\n")
            return 0


def main() -> int:
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    token = (ACCOUNT / "token").read_text()
    return create_in_time(API, json.loads(sys.argv[1]), seconds=SECONDS, token=token, context=context)


if __name__ == "__main__":
    sys.exit(main())
