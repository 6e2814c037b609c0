"""Calls a model without a pause until told to stop: one way of calling, and what failed in it, printed as JSON.

`cluster.py` runs this file on its own machine, at the Ingress, and its text in a Pod of the serving image, at the
Service: the standard library has to do.
"""

import argparse
import http.client
import itertools
import json
import pathlib
import threading

TIMEOUT_SECONDS = 10
SAID_EVERY = 1000


def call(options: argparse.Namespace, counted: dict, lock: threading.Lock) -> None:
    address, _, port = options.address.partition(":")
    headers = {"Host": options.host or address, "Content-Type": "application/json"}
    link = http.client.HTTPConnection(address, int(port), timeout=TIMEOUT_SECONDS)
    for message in itertools.cycle(options.messages):
        if options.stop.exists():
            return
        try:
            link.request("POST", "/predict", json.dumps({"message": message}), headers)
            answer = link.getresponse()
            answer.read()
            problem = "" if answer.status == 200 else f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        if problem or not options.keep:
            link.close()  # the next request opens it again
        with lock:
            counted["sent"] += 1
            if problem:
                counted["problems"].append(problem)
            if counted["sent"] % SAID_EVERY == 0:
                print(json.dumps(counted), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="host:port")
    parser.add_argument("messages", nargs="+")
    parser.add_argument("--host", help="the Host header, where the address is not the name")
    parser.add_argument("--keep", action="store_true", help="keep connections; else a new one for each request")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--stop", type=pathlib.Path, required=True, help="ends when this file is there")
    options = parser.parse_args()
    counted, lock = {"sent": 0, "problems": []}, threading.Lock()
    callers = [threading.Thread(target=call, args=(options, counted, lock)) for _ in range(options.threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
