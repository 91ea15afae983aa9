"""Files below a static folder: one that is there, or a 404. Runs per request."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from sanic.exceptions import NotFound
from sanic.request import Request

from msframework.types import Handler

_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 2000
_NAME: Final = 6  # the place of `name` among the arguments of Sanic's `static`


class StaticFiles:
    """A part of Sanic's app: asks the file system only for paths that may be a file."""

    __slots__ = ()

    def static(self, *args: Any, public: bool = False, **options: Any) -> None:
        """Serve files, as Sanic documents it.

        Args:
            public: whether anybody may have them, whatever guards the service has.
        """
        router: Any = self.router  # type: ignore[attr-defined]
        known = set(map(id, router.routes))
        super().static(*args, **options)  # type: ignore[misc]
        for route in router.routes if public else ():
            if id(route) not in known:
                route.extra.public = True

    async def _static_request_handler(self, request: object, **options: object) -> Any:
        """Answer with a file, as Sanic does; with 404 for a folder that shows nothing."""
        handle = super()._static_request_handler  # type: ignore[misc]
        try:
            return await handle(request, **options)
        except (IsADirectoryError, PermissionError):
            raise NotFound("File not found") from None

    async def _get_file_path(
        self, folder: object, uri: str | None, not_found: Exception, *options: object
    ) -> Path:
        """Return the path of a file, as Sanic does; refuse those on which Sanic would fail later.

        Raises:
            NotFound: no file is called so, or its folder is none.
        """
        if uri is not None and not _is_file_path(unquote(uri)):
            raise not_found
        find = super()._get_file_path  # type: ignore[misc]
        found: Path = await find(folder, uri, not_found, *options)
        if not found.parent.is_dir():
            raise not_found
        return found


class BlueprintFiles:
    """The static files of a Blueprint, which may be public whatever guards it has."""

    __slots__ = ()
    public_files: set[str]

    def static(self, *args: object, public: bool = False, **options: object) -> None:
        """Serve files, as Sanic documents it.

        Args:
            public: whether anybody may have them, whatever guards there are.
        """
        if public:
            name = args[_NAME] if len(args) > _NAME else options.get("name", "static")
            self.public_files.add(str(name))
        super().static(*args, **options)  # type: ignore[misc]


def _is_file_path(path: str) -> bool:
    """Tell whether some file below a folder may be called *path*."""
    names = path.split("/")
    too_long = len(path) > _LONGEST_PATH or any(len(n.encode()) > _LONGEST_NAME for n in names)
    return not (too_long or "\0" in path or ".." in names)


def answer_head_as_get(handler: Handler) -> Handler:
    """Return the *handler* of static files, with a HEAD whose head is that of GET.

    NOTE: Sanic's own lacks the length and `Cache-Control`. It stays for a HEAD with `Range`, which
    means nothing there (RFC 9110, 14.2).
    """

    @functools.wraps(handler)
    async def handle_file(request: Request, **path: object) -> Any:
        if request.method != "HEAD" or "range" in request.headers:
            return await handler(request, **path)
        request.method = "GET"
        try:
            return await handler(request, **path)
        finally:
            request.method = "HEAD"

    return handle_file
