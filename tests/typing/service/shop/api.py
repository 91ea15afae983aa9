"""The suppliers service: its objects, and how to ask for one."""

from typing import Any

from msframework import NotFound, Request, doc, logger


class SupplierApi:
    """A supplier."""

    id = int
    name = doc.String("supplier name")


@logger(type="method", category="shop")
async def get_supplier(request: Request, id: int) -> dict[str, Any] | int:
    """Read a supplier, or keep the *id* of one that is there no more."""
    suppliers = request.client("suppliers")
    try:
        supplier: dict[str, Any] = await suppliers.call(
            "GET", "/suppliers/{id}", id=id, passing=(404,), timeout=2.0
        )
    except NotFound:
        return id
    return supplier
