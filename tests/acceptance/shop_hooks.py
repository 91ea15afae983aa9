"""What schemathesis calls around each request to the shop: most become ones that succeed.

`SCHEMATHESIS_HOOKS` names this file. Where `PROVOKES` is set, one of three requests becomes one
that gets a 403, a 404, a 409 or a 422 instead, whichever of them its operation has, by turns.
"""

import itertools
import json
import os
import random
import urllib.request
from collections import Counter

import note_hooks  # noqa: F401 - it registers its hook
import schemathesis

# Each run starts elsewhere, so that its names are not those of the run before.
_NUMBERS = itertools.count(random.randrange(2_000_000_000))
_TURNS = Counter()
_NO_ROW = 2_000_000_000


def post(url, body):
    """Send *body* to *url* as Ada and return the data of the answer."""
    headers = {"Content-Type": "application/json", "X-Caller": "1"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


def make_note(url, person=1):
    """Return a new note."""
    return post(f"{url}/diary", {"person_id": person, "title": f"made {next(_NUMBERS)}"})


def make_tag(url):
    """Return a new tag."""
    return post(f"{url}/tags", {"slug": f"made-{next(_NUMBERS)}", "label": "made"})


def make_key(url, name):
    """Return the value of a path parameter that names something."""
    if name == "slug":
        return make_tag(url)["slug"]
    return 1 if name == "person_id" else make_note(url)["id"]


def bodies_of(case):
    """Return the objects of a body."""
    return [body for body in as_list(case.body) if isinstance(body, dict)]


def as_list(body):
    return body if isinstance(body, list) else [body]


def repair_body(url, body, *, bulk):
    """Let *body* be about somebody who is there, under a name that is free."""
    body |= {name: 1 for name in ("person_id",) if name in body}
    body |= {name: f"{next(_NUMBERS)}" for name in ("title", "slug") if name in body}
    body |= {name: next(_NUMBERS) for name in ("team", "member") if name in body}
    if "tag_id" in body:
        body["tag_id"] = make_tag(url)["id"]
    if bulk and "id" in body:
        body["id"] = make_note(url)["id"]


def repair(url, case):
    """Let a valid request be about what exists, and be free of conflicts."""
    if "team" in (case.path_parameters or {}):
        key = {"team": next(_NUMBERS), "member": next(_NUMBERS)}
        post(f"{url}/memberships", {**key, "role": "made"})
        case.path_parameters |= key
    else:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = make_key(url, name)
    for body in bodies_of(case):
        repair_body(url, body, bulk=case.path.endswith("/bulk"))
    if case.path.endswith("/bulk") and case.method == "DELETE":
        case.query["id"] = [make_note(url)["id"]]


def forbid(url, case):
    """Let a request be for a row that is not the caller's, or would not be."""
    if "/memberships" in case.path:
        case.body["role"] = "hidden"
    else:
        fill_bulk(url, case)
        for body in bodies_of(case):
            body |= {"state": "hidden"}


def lose(url, case):
    """Let a request be for what is not there."""
    for name in case.path_parameters:
        case.path_parameters[name] = _NO_ROW if name in ("id", "team") else "nobody"


def collide(url, case):
    """Let a request be for what cannot be twice, or what something refers to."""
    if case.path == "/taggings":
        case.body["tag_id"] = _NO_ROW
    elif case.method == "DELETE":
        tag = make_tag(url)
        post(f"{url}/taggings", {"tag_id": tag["id"]})
        case.path_parameters["slug"] = tag["slug"]
    elif case.path == "/memberships":
        post(f"{url}/memberships", {**case.body, "role": "made"})
    else:
        fill_bulk(url, case)
        name, there = (
            ("slug", make_tag(url)) if case.path.startswith("/tags") else ("title", make_note(url))
        )
        bodies_of(case)[0][name] = there[name]


def fill_bulk(url, case):
    """Let a request for several rows be for one at least."""
    if case.path.endswith("/bulk") and not bodies_of(case):
        row = {"id": make_note(url)["id"]} if case.method == "PATCH" else {"title": "new"}
        if case.method == "POST" and "person_id" not in (case.path_parameters or {}):
            row["person_id"] = 1
        case.body = [row]


def garble(url, case):
    """Let a request be for a name that nothing can have."""
    case.path_parameters["slug"] = "a\0b"


PROVOCATIONS = {"403": forbid, "404": lose, "409": collide, "422": garble}


def provocations(case):
    """Return those that fit an operation: all that it documents, but mistakes of its input."""
    told = case.operation.definition.raw["responses"]
    fitting = [each for status, each in PROVOCATIONS.items() if status in told]
    if "slug" not in (case.path_parameters or {}):
        fitting = [each for each in fitting if each is not garble]
    return fitting


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let most valid requests be about what exists, and be free of conflicts."""
    if case.meta.generation.mode.value == "negative":
        return
    url, label = case.operation.base_url.rstrip("/"), case.operation.label
    if case.query:
        case.query.pop("cursor", None)  # text that only the service makes
    if case.meta.phase.name.value == "stateful":  # its keys are those of the steps before
        for body in bodies_of(case):
            repair_body(url, body, bulk=False)
        return
    repair(url, case)
    _TURNS[label] += 1
    fitting = provocations(case)
    if "PROVOKES" in os.environ and fitting and _TURNS[label] % 3 == 0:
        fitting[_TURNS[label] // 3 % len(fitting)](url, case)
