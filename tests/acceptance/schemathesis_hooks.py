"""What schemathesis calls around each request: it reads what is there, and notes every status.

`SCHEMATHESIS_HOOKS` names this file; `STATUSES` is where the statuses go, a JSON line each, and
`TOKEN` is the caller's.
"""

import itertools
import json
import os
import urllib.request

import schemathesis

_NUMBERS = itertools.count()


def create(url, collection, body):
    """Create one object of a collection and return its id."""
    return post(f"{url}/{collection}", body)["id"]


def post(url, body):
    """Send *body* to *url* and return the data of the answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['TOKEN']}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)["data"]


def register(url):
    """Register an account that nobody has, and return what it logs in with."""
    body = {"email": f"made{next(_NUMBERS)}@example.org", "password": "12345678"}
    post(f"{url}/accounts", body)
    return body


def create_any(url, collection):
    """Create an object of *collection* that nothing refers to."""
    name = f"made {next(_NUMBERS)}"
    body = {"name": name}
    if collection == "cities":
        body["province_id"] = create(url, "provinces", body)
    if collection == "users":
        rest = {"age": 1, "city_id": 1, "role_id": 1, "password": "12345678"}
        body |= {"email": f"{name.replace(' ', '')}@example.org", **rest}
    return create(url, collection, body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let every other request be about something that exists, under a name that is free."""
    number = next(_NUMBERS)
    if number % 2:
        return
    if isinstance(case.body, dict) and isinstance(case.body.get("name"), str):
        case.body["name"] = f"{case.body['name'][:20]}{number}"
    url, collection = case.operation.base_url.rstrip("/"), case.path.strip("/").split("/")[0]
    if collection == "accounts" and isinstance(case.body, dict):
        give_credentials(url, case)
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = create_any(url, collection)
    elif case.method == "POST" and isinstance(case.body, dict) and "province_id" in case.body:
        case.body["province_id"] = create_any(url, "provinces")


def give_credentials(url, case):
    """Let a log-in have a password, and a refresh a token, that is right."""
    if case.path.endswith("/login"):
        case.body.update(register(url))
    elif case.path.endswith("/refresh"):
        tokens = post(f"{url}/accounts/login", register(url))
        case.body["refresh_token"] = tokens["refresh_token"]


@schemathesis.hook
def after_call(context, case, response):
    """Note the status, of the method that the operation has."""
    if case.method.upper() != case.operation.method.upper():
        return
    line = json.dumps([case.operation.label, response.status_code])
    with open(os.environ["STATUSES"], "a") as file:
        file.write(f"{line}\n")
