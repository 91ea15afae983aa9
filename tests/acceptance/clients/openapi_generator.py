"""One round trip with the Python client that openapi-generator makes: `python … BASE_URL`."""

import os
import sys

from roles_client import ApiClient, Configuration, RoleIn, RolePatch, RolesApi
from roles_client.exceptions import ApiException


def fail(call, *arguments):
    """Return how a call fails."""
    try:
        call(*arguments)
    except ApiException as exc:
        return exc
    raise AssertionError("it did not fail")


token = os.environ["TOKEN"]
configuration = Configuration(
    host=sys.argv[1],
    access_token=token,
    api_key={"token": f"Bearer {token}"},  # 2.0 knows no bearer scheme
)
with ApiClient(configuration) as client:
    roles = RolesApi(client)

    made = roles.roles_create(RoleIn(name="cook", description="cooks")).data
    id = made["id"] if isinstance(made, dict) else made.id  # of 2.0 it makes no inner models
    assert [role.name for role in roles.roles_list(page=1).data] == ["cook"]
    role = roles.roles_read(id).data
    assert (role.id, role.name, role.description) == (id, "cook", "cooks")
    assert role.create_time.tzinfo is not None

    changed = roles.roles_update(id, RolePatch(name="chef")).data
    assert (changed.name, changed.description) == ("chef", "cooks")

    taken = fail(roles.roles_create, RoleIn(name="chef"))
    assert taken.status == 409
    assert taken.data.code == 13001

    # The model itself would refuse it.
    refused = fail(roles.roles_create, RoleIn.model_construct(name="x" * 200))
    assert refused.status == 422
    assert "Longer than maximum length 128." in refused.body

    assert roles.roles_delete(id) is None
    assert fail(roles.roles_read, id).status == 404
