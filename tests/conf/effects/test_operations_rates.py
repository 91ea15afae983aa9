"""What the settings of rate limits do; `tests/limits` shows what callers get."""

from tests.processes import free_port


async def test_rate_limits(serve):
    def routes(service):
        @service.get("/")
        async def read(request): ...

        @service.get("/other")
        async def other(request): ...

    async with serve(routes, RATE_LIMITS="2/hour") as running:
        answers = [await running.ask(path) for path in ("/", "/other", "/")]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"service/principal/hour";q=2;w=3600'


async def test_rate_limit_storage(serve, lines_of):
    def routes(service):
        @service.get("/")
        async def read(request): ...

    port, lines = free_port(), lines_of("msframework.limits")
    values = {"RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{port}/0", "RATE_LIMITS": "9/hour"}
    async with serve(routes, **values) as running:
        assert (await running.ask("/")).status == 200

    assert [f"127.0.0.1:{port} does not answer" in line for line in lines] == [True]
