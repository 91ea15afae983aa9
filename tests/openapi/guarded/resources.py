"""Ships that are for everybody, for some, and for some others."""

from __future__ import annotations

from msframework import (
    AnyScope,
    Authenticated,
    Blueprint,
    Guard,
    Principal,
    Request,
    Resource,
    Scopes,
    doc,
)
from msframework.access import AuthenticatedBy

ships = Blueprint("ships", url_prefix="/ships", guards=(Authenticated(),))
open_sea = Blueprint("sea", url_prefix="/sea")


class OwnShip(Guard):
    """The caller's own ship."""

    async def allows(self, request: Request, principal: Principal | None, id: int) -> bool:
        return principal is not None and principal.id == str(id)


@ships.resource("/")
class ShipList(Resource):
    """The ships of the harbour."""

    @doc.public
    @doc.summary("List ships")
    async def get(self, request):
        return []

    @doc.guards(Scopes("ships:write") | AuthenticatedBy("key"))
    @doc.summary("Register a ship")
    async def post(self, request):
        return {}


@ships.resource("/<id:int>")
class Ship(Resource):
    """One ship."""

    guards = (AuthenticatedBy("token", "login"), AnyScope("ships:read", "ships:write").on("GET"))

    @doc.summary("Read a ship")
    async def get(self, request, id):
        return {}

    @doc.guards(OwnShip())
    @doc.summary("Remove a ship")
    @doc.produces(status=204)
    async def delete(self, request, id):
        return None


@ships.post("/<id:int>/unload")
@doc.security("certificate", scopes=["cargo"])
@doc.summary("Unload a ship")
async def unload(request, id):
    return {}


@open_sea.get("/weather")
@doc.public
@doc.summary("The weather, for callers where they are known")
async def read_weather(request, principal):
    return {}


@open_sea.get("/depth")
@doc.security("gateway", scopes=["depth"])
@doc.summary("The depth, for whom a gateway lets pass")
async def read_depth(request):
    return {}


@open_sea.get("/tide")
@doc.summary("The tide")
async def read_tide(request):
    return {}
