"""The setting of shedding."""


async def test_shedding(serve):
    def routes(service):
        @service.get("/one")
        async def one(request):
            return {}

    for value, status in ((True, 503), (False, 200)):
        async with serve(routes, SHEDDING=value) as running:
            shedding = running.service._serving.shedding
            if shedding is not None:
                shedding._limit.value = 0
                shedding._open()
            answer = await running.ask("/one")
            assert (answer.status, answer.headers.get("Retry-After")) == (
                status,
                "1" if value else None,
            )
