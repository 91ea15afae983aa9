"""`check` warns of parameters that look like those of a query, and that nothing gives."""

from typing import Annotated

from msframework import Blueprint, Resource, doc
from msframework.management.ungiven import find_ungiven


class Things(Resource):
    async def get(
        self,
        request,
        page: int = 1,
        q: "str | None" = None,
        *,
        state: Annotated[str | None, "a state"] = None,
    ): ...

    @doc.query({"limit": int})
    async def post(
        self, request, query: "dict[str, int]", id: int = 0, clock: object = None, size=10, user=""
    ): ...


class Given(Resource):
    async def get(self, request, id: int = 0, user: str = "nobody"): ...


def test_parameters_that_nothing_gives_are_told(make_service):
    service = make_service()
    things = Blueprint("things", url_prefix="/things")
    things.resource("/<id:int>")(Given)
    things.resource("/")(Things)
    service.blueprint(things)
    service.provide("user", lambda request: "ada")

    service.compile()
    found = list(find_ungiven(service.operations))

    assert [line.partition(", so")[0].partition(": ")[2] for line in found] == [
        "nothing gives its parameter 'page'",
        "nothing gives its parameter 'q'",
        "nothing gives its parameter 'state'",
        "nothing gives its parameter 'id'",
    ]
    assert found[0].endswith("read query['page']; else drop its annotation.")
