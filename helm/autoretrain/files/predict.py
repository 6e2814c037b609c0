"""Is it there? Calls the address of the first argument until it answers 200, within the seconds of the second.

`helm test` runs it. A third argument is a message: it is sent as a request for a prediction.
"""

import json
import sys
import time
import urllib.request


def main() -> int:
    address, seconds, *message = sys.argv[1:]
    body = json.dumps({"message": message[0]}).encode() if message else None
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    deadline = time.monotonic() + float(seconds)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - an address of the chart's
                text = answer.read().decode()
            break
        except OSError as error:
            if time.monotonic() > deadline:
                sys.stderr.write(f"{address}: {error}\n")
                return 1
        time.sleep(2)
    sys.stdout.write(f"{address}: {text}\n")
    return 0 if not message or json.loads(text)["prediction"] in {"spam", "ham"} else 1


if __name__ == "__main__":
    sys.exit(main())
