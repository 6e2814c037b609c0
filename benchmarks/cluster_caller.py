"""Calls a Service from inside the cluster, a new connection for each request, until told to stop; prints what failed.

`cluster.py` runs this text in a Pod of the serving image: the standard library has to do.
"""

import http.client
import itertools
import json
import pathlib
import sys
import threading

STOP = pathlib.Path("/tmp/stop")
TIMEOUT_SECONDS = 10
SAID_EVERY = 1000


def call(host: str, messages: list[str], counted: dict, lock: threading.Lock) -> None:
    for message in itertools.cycle(messages):
        if STOP.exists():
            return
        body = json.dumps({"message": message})
        try:
            link = http.client.HTTPConnection(host, 80, timeout=TIMEOUT_SECONDS)
            link.request("POST", "/predict", body, {"Content-Type": "application/json"})
            status = link.getresponse().status
            link.close()
            problem = "" if status == 200 else f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        with lock:
            counted["sent"] += 1
            if problem:
                counted["problems"].append(problem)
            if counted["sent"] % SAID_EVERY == 0:
                print(json.dumps(counted), flush=True)


def main() -> None:
    host, threads, *messages = sys.argv[1:]
    counted, lock = {"sent": 0, "problems": []}, threading.Lock()
    callers = [threading.Thread(target=call, args=(host, messages, counted, lock)) for _ in range(int(threads))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
