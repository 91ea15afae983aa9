"""What schemathesis calls around each request to the apps: most become ones that succeed.

`SCHEMATHESIS_HOOKS` names this file; `TOKEN` is the caller's. Where `PROVOKES` is set, one of three
requests becomes one that gets a 401, a 404 or a 409 instead, whichever of them it can, by turns.
"""

import functools
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
    """Send *body* to *url* and return the data of the answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['TOKEN']}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


def free_email():
    return f"made{next(_NUMBERS)}@example.org"


def register(url):
    """Register an account that nobody has, and return what it logs in with."""
    body = {"email": free_email(), "password": "12345678"}
    post(f"{url}/accounts", body)
    return body


def create_any(url, collection):
    """Create an object of *collection* that nothing refers to, and return it with its id."""
    body = {"name": f"made {next(_NUMBERS)}"}
    if collection == "cities":
        body["province_id"] = create_any(url, "provinces")["id"]
    if collection == "users":
        body |= {"email": free_email(), "age": 1, "password": "12345678", **places(url)}
    return {**body, **post(f"{url}/{collection}", body)}


@functools.cache
def places(url):
    """Return the city and the role of users."""
    return {f"{name}_id": create_any(url, many)["id"] for name, many in PLACES.items()}


PLACES = {"city": "cities", "role": "roles"}


def repair(url, case):
    """Let a valid request be about what exists, under a name that is free."""
    collection = collection_of(case)
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = create_any(url, collection)["id"]
    free_names(url, case)
    if case.path.endswith("/login"):
        case.body.update(register(url))
    elif case.path.endswith(("/refresh", "/logout")):
        tokens = post(f"{url}/accounts/login", register(url))
        case.body["refresh_token"] = tokens["refresh_token"]


def free_names(url, case):
    body = case.body if isinstance(case.body, dict) else {}
    if "name" in body:
        body["name"] = f"{str(body['name'])[:20]}{next(_NUMBERS)}"
    if "email" in body:
        body["email"] = free_email()
    if "province_id" in body:
        body["province_id"] = create_any(url, "provinces")["id"]


def collection_of(case):
    return case.path.strip("/").split("/")[0]


def lose(url, case):
    """Let a request be for what is not there."""
    case.path_parameters["id"] = _NO_ROW


def collide(url, case):
    """Let a request be for what cannot be twice, or what something refers to."""
    collection = collection_of(case)
    if case.method == "DELETE":
        province = case.path_parameters["id"]
        post(f"{url}/cities", {"name": "made", "province_id": province})
    elif case.method == "POST":
        post(f"{url}{case.path}", case.body)
    else:
        name = "email" if collection == "users" else "name"
        case.body[name] = create_any(url, collection)[name]


def mistake(url, case):
    """Let a log-in be by credentials that nobody has."""
    case.body.update({name: free_email() for name in case.body})


def provocations(case):
    """Return those that fit an operation."""
    told = case.operation.definition.raw["responses"]
    if "id" in (case.path_parameters or {}):
        yield lose
    if "409" in told:
        yield collide
    if case.path.endswith(("/login", "/refresh")):
        yield mistake


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let most valid requests be about what exists, and be free of conflicts."""
    if case.meta.generation.mode.value == "negative":
        return
    url, label = case.operation.base_url.rstrip("/"), case.operation.label
    if case.meta.phase.name.value == "stateful":  # its keys are those of the steps before
        free_names(url, case)
        return
    repair(url, case)
    _TURNS[label] += 1
    fitting = list(provocations(case))
    if "PROVOKES" in os.environ and fitting and _TURNS[label] % 3 == 0:
        fitting[_TURNS[label] // 3 % len(fitting)](url, case)
