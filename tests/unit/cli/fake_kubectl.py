"""A kubectl with one namespace, in a JSON file. What it can't do it complains of as the real one does, and exits 1.

`state` holds `objects` by `kind/name`, `complaints` that the next calls end with, and `calls`, every command line.
`operator` says what a patched SpamModel's status is merged with, as soon as it is patched.
"""

import argparse
import json
import sys
import time
from pathlib import Path


def merge(target, change):
    """RFC 7386."""
    if not isinstance(change, dict):
        return change
    target = target if isinstance(target, dict) else {}
    kept = {name: value for name, value in target.items() if name not in change}
    return kept | {name: merge(target.get(name), value) for name, value in change.items() if value is not None}


def fail(complaint):
    sys.stderr.write(f"W1124 memcache.go: a warning before it\n{complaint}\n")
    return 1


def forward(address):
    """Last until killed, as the real one."""
    sys.stdout.write(f"Forwarding from {address} -> 8000\n" if address else "error: unable to forward port\n")
    sys.stdout.flush()
    while address:
        time.sleep(60)
    return 1


def answer(options, state):
    if state["complaints"]:
        return fail(state["complaints"].pop(0))
    if options.verb == "port-forward":
        return forward(state["serving"])
    if options.selector:
        name, _, value = options.selector.partition("=")
        items = [
            thing
            for key, thing in state["objects"].items()
            if key.startswith(f"{options.kind}/") and thing["metadata"]["labels"].get(name) == value
        ]
        sys.stdout.write(json.dumps({"kind": "List", "items": items}))
        return 0
    key = f"{options.kind}/{options.name}"
    if key not in state["objects"]:
        return fail(f'Error from server (NotFound): {options.kind} "{options.name}" not found')
    if options.verb == "patch":
        assert options.type == "merge"
        state["objects"][key] = merge(state["objects"][key], json.loads(options.patch))
        obey(state["objects"][key], state["operator"])
    sys.stdout.write(json.dumps(state["objects"][key]))
    return 0


def obey(model, effect):
    """Do at once what an operator does in its next pass: note the tokens as handled."""
    if effect:
        said = model["metadata"].get("annotations", {})
        names = {"retrain": "retrain-requested", "rollback": "rollback-requested", "approve": "approve"}
        handled = {field: said.get(f"autoretrain.dev/{name}", "") for field, name in names.items()}
        handled["promote"] = said.get("autoretrain.dev/promote-token", "")
        model["status"] = merge(model["status"], effect | {"handledRequests": handled})


def main(path, arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("verb")
    parser.add_argument("kind")
    parser.add_argument("name", nargs="?")
    for option in ("context", "namespace", "output", "request-timeout", "selector", "type", "patch", "address"):
        parser.add_argument(f"--{option}")
    options = parser.parse_args(arguments)
    state = json.loads(path.read_text())
    state["calls"].append(arguments)
    code = answer(options, state)
    path.write_text(json.dumps(state))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
