"""Who calls, and what the shop does beside its resources."""

from dataclasses import dataclass

from msframework import Request, Service, Unauthorized


@dataclass(frozen=True)
class Clerk:
    """The clerk who calls."""

    name: str


async def current_clerk(request: Request) -> Clerk:
    """Return the clerk whom the header `X-Clerk` names."""
    name = request.headers.get("x-clerk")
    if name is None:
        raise Unauthorized("X-Clerk is missing")
    return Clerk(name)


class PriceList:
    """A part with a life of its own: it is opened with the service, and closed after it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.products = 0

    async def start(self) -> None:
        """Count the products."""
        async with self._service.db.acquire() as cur:
            self.products = await cur.fetchval("SELECT count(*) FROM products")

    async def stop(self) -> None:
        """Forget them."""
        self.products = 0


def configure(service: Service) -> None:
    """Give methods the clerk, and keep a price list."""
    service.provide("clerk", current_clerk)
    service.add_part(PriceList(service))

    @service.on_error
    def count(request: Request | None, exception: Exception, span: object) -> None:
        failures: int = getattr(service.ctx, "failures", 0)
        service.ctx.failures = failures + 1

    @service.get("/health")
    async def health(request: Request) -> dict[str, bool]:
        return {"stopping": request.app.stopping}
