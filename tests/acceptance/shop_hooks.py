"""What schemathesis calls around each request to the shop: most become ones that succeed.

`SCHEMATHESIS_HOOKS` names this file; `STATUSES` is where the statuses go, a JSON line each.
"""

import itertools
import json
import os
import random
import urllib.request

import schemathesis

# Each run starts elsewhere, so that its names are not those of the run before.
_NUMBERS = itertools.count(random.randrange(2_000_000_000))


def post(url, body):
    """Send *body* to *url* as Ada and return the data of the answer."""
    headers = {"Content-Type": "application/json", "X-Caller": "1"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)["data"]


def make_note(url):
    """Return the id of a new note of Ada's."""
    return post(f"{url}/notes", {"person_id": 1, "title": f"made {next(_NUMBERS)}"})["id"]


def make_key(url, name):
    """Return the value of a path parameter that names something."""
    if name == "slug":
        slug = f"made-{next(_NUMBERS)}"
        return post(f"{url}/tags", {"slug": slug, "label": "made"})["slug"]
    return 1 if name == "person_id" else make_note(url)


def repair(url, body, *, bulk):
    """Let *body* be about somebody who is there, under a name that is free."""
    body |= {name: 1 for name in ("person_id",) if name in body}
    body |= {name: f"{next(_NUMBERS)}" for name in ("title", "slug") if name in body}
    body |= {name: next(_NUMBERS) for name in ("team", "member") if name in body}
    if bulk and "id" in body:
        body["id"] = make_note(url)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let four of five valid requests be about what exists, and be free of conflicts."""
    if next(_NUMBERS) % 5 == 0 or case.meta.generation.mode.value == "negative":
        return
    url, bulk = case.operation.base_url.rstrip("/"), case.path.endswith("/bulk")
    if "team" in (case.path_parameters or {}):
        key = {"team": next(_NUMBERS), "member": next(_NUMBERS)}
        post(f"{url}/memberships", {**key, "role": "made"})
        case.path_parameters |= key
    else:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = make_key(url, name)
    if case.query:
        case.query.pop("cursor", None)
    bodies = case.body if isinstance(case.body, list) else [case.body]
    for body in bodies:
        if isinstance(body, dict):
            repair(url, body, bulk=bulk)
    if bulk and case.method == "DELETE":
        case.query["id"] = [make_note(url)]


@schemathesis.hook
def after_call(context, case, response):
    """Note the status, of the method that the operation has."""
    if case.method.upper() != case.operation.method.upper():
        return
    line = json.dumps([case.operation.label, response.status_code])
    with open(os.environ["STATUSES"], "a") as file:
        file.write(f"{line}\n")
