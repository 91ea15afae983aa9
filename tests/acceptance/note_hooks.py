"""The part of every `SCHEMATHESIS_HOOKS` here: each request and its status, noted.

`STATUSES` is where the notes go, a JSON line each; `acceptance/statuses.py` reads them.
"""

import json
import os

import schemathesis


@schemathesis.hook
def after_call(context, case, response):
    """Note the status, of the method that the operation has, and the request where it worked."""
    if case.method.upper() != case.operation.method.upper():
        return
    note = {"operation": case.operation.label, "status": response.status_code}
    if response.status_code < 300:
        sent = response.request
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
        headers = {name: _text(value) for name, value in sent.headers.items()}
        note |= {"url": sent.url, "headers": headers, "body": body.decode("latin-1")}
    with open(os.environ["STATUSES"], "a") as file:
        file.write(f"{json.dumps(note)}\n")


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value
