"""One round trip with the client that openapi-python-client makes: `python … BASE_URL`."""

import os
import sys

from roles_client import AuthenticatedClient
from roles_client.api.roles import (
    roles_create,
    roles_delete,
    roles_list,
    roles_read,
    roles_update,
)
from roles_client.models import Error, InvalidInput, RoleIn, RolePatch

client = AuthenticatedClient(base_url=sys.argv[1], token=os.environ["TOKEN"])

created = roles_create.sync(client=client, body=RoleIn(name="cook", description="cooks"))
id = created.data.id
assert [role.name for role in roles_list.sync(client=client, page=1).data] == ["cook"]
role = roles_read.sync(id, client=client).data
assert (role.id, role.name, role.description) == (id, "cook", "cooks")
assert role.create_time.tzinfo is not None

# What is not said stays, null empties.
changed = roles_update.sync(id, client=client, body=RolePatch(name="chef")).data
assert (changed.name, changed.description) == ("chef", "cooks")
emptied = roles_update.sync(id, client=client, body=RolePatch(description=None)).data
assert (emptied.name, emptied.description) == ("chef", None)

taken = roles_create.sync_detailed(client=client, body=RoleIn(name="chef"))
assert taken.status_code == 409
assert isinstance(taken.parsed, Error)
assert taken.parsed.code == 13001

refused = roles_create.sync_detailed(client=client, body=RoleIn(name="x" * 200))
assert refused.status_code == 422
assert isinstance(refused.parsed, InvalidInput)
assert refused.parsed.error.body["name"] == ["Longer than maximum length 128."]

gone = roles_delete.sync_detailed(id, client=client)
assert (gone.status_code, gone.content) == (204, b"")
assert roles_read.sync_detailed(id, client=client).status_code == 404
