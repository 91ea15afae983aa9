"""The services that this one calls: what they answer, and how to ask them."""

from msframework import NotFound, doc, logger


class ProvinceApi:
    """A province of the regions service."""

    id = int
    name = doc.String("province name")


class CityApi:
    """A city of the regions service."""

    id = int
    name = doc.String("city name")
    province = ProvinceApi


class RoleApi:
    """A role of the roles service."""

    id = int
    name = doc.String("role name")
    description = doc.String("what the role is for", null=True)


@logger(type="method", category="users")
async def get_city(request, id):
    """Read a city from the regions service."""
    return await read_or_keep(request, "regions", "/cities/{id}", id)


@logger(type="method", category="users")
async def get_role(request, id):
    """Read a role from the roles service."""
    return await read_or_keep(request, "roles", "/roles/{id}", id)


async def read_or_keep(request, service, path, id):
    """Return the object at *path*, or *id* itself where the other service has it no more.

    The other service is asked in the caller's name: tokens are for this site as a whole, so it gets
    the caller's own, and lets through what the caller may see.
    """
    client, headers = request.client(service), {"Authorization": request.headers["authorization"]}
    try:
        return await client.call("GET", path, id=id, passing=(404,), headers=headers)
    except NotFound:
        return id
