"""The resource in Litestar, with its JWT middleware and Advanced Alchemy."""

import os
from datetime import UTC, datetime
from typing import Annotated

from advanced_alchemy.extensions.litestar import (
    SQLAlchemyAsyncConfig,
    SQLAlchemyDTO,
    SQLAlchemyDTOConfig,
    SQLAlchemyPlugin,
    base,
    filters,
    repository,
    service,
)
from advanced_alchemy.types import DateTimeUTC
from litestar import Controller, Litestar, Request, delete, get, patch, post
from litestar.connection import ASGIConnection
from litestar.dto import DTOData
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from litestar.security.jwt import JWTAuth, Token
from sqlalchemy import String, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column


# The resource.
class Note(base.BigIntBase):
    __tablename__ = "notes"
    owner_id: Mapped[int] = mapped_column(index=True)
    title: Mapped[str] = mapped_column(String(128), unique=True)
    body: Mapped[str] = mapped_column(Text, default="")
    create_time: Mapped[datetime] = mapped_column(
        DateTimeUTC(timezone=True), default=lambda: datetime.now(UTC)
    )


class NoteRead(SQLAlchemyDTO[Note]):
    config = SQLAlchemyDTOConfig(exclude={"owner_id"}, rename_strategy=None)


class NoteWrite(SQLAlchemyDTO[Note]):
    config = SQLAlchemyDTOConfig(exclude={"id", "owner_id", "create_time"})


class NotePatch(SQLAlchemyDTO[Note]):
    config = SQLAlchemyDTOConfig(exclude={"id", "owner_id", "create_time"}, partial=True)


class NoteService(service.SQLAlchemyAsyncRepositoryService[Note]):
    class Repo(repository.SQLAlchemyAsyncRepository[Note]):
        model_type = Note

    repository_type = Repo


async def provide_notes(db_session: AsyncSession):
    async with NoteService.new(session=db_session) as notes:
        yield notes


Size = Annotated[int, Parameter(query="per_page", ge=1, le=100)]
Number = Annotated[int, Parameter(query="page", ge=1)]


class NoteController(Controller):
    path = "/notes"
    dependencies = {"notes": provide_notes}
    return_dto = NoteRead

    @get()
    async def list_notes(
        self,
        request: Request[int, Token, None],
        notes: NoteService,
        title__icontains: str | None = None,
        create_time__gte: datetime | None = None,
        number: Number = 1,
        size: Size = 20,
    ) -> service.OffsetPagination[Note]:
        chosen = [Note.owner_id == request.user]
        if title__icontains is not None:
            chosen.append(Note.title.icontains(title__icontains, autoescape=True))
        if create_time__gte is not None:
            chosen.append(Note.create_time >= create_time__gte)
        page = filters.LimitOffset(limit=size, offset=(number - 1) * size)
        rows, total = await notes.list_and_count(*chosen, page, filters.OrderBy("id", "asc"))
        return notes.to_schema(rows, total, filters=[page])

    @post(dto=NoteWrite)
    async def create_note(
        self, request: Request[int, Token, None], notes: NoteService, data: DTOData[Note]
    ) -> Note:
        return await notes.create(data.create_instance(owner_id=request.user))

    @get("/{note_id:int}")
    async def read_note(
        self, request: Request[int, Token, None], notes: NoteService, note_id: int
    ) -> Note:
        return await own_note(notes, note_id, request.user)

    @patch("/{note_id:int}", dto=NotePatch)
    async def update_note(
        self,
        request: Request[int, Token, None],
        notes: NoteService,
        note_id: int,
        data: DTOData[Note],
    ) -> Note:
        note = await own_note(notes, note_id, request.user)
        return await notes.update(data.update_instance(note))

    @delete("/{note_id:int}", return_dto=None)
    async def delete_note(
        self, request: Request[int, Token, None], notes: NoteService, note_id: int
    ) -> None:
        await own_note(notes, note_id, request.user)
        await notes.delete(note_id)


async def own_note(notes: NoteService, note_id: int, owner_id: int) -> Note:
    note = await notes.get_one_or_none(Note.id == note_id, Note.owner_id == owner_id)
    if note is None:
        raise NotFoundException("No such note")
    return note


# The service.
async def find_user(token: Token, connection: ASGIConnection) -> int:
    return int(token.sub)


database = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"),
    before_send_handler="autocommit",
    create_all=True,
)
auth = JWTAuth[int](
    retrieve_user_handler=find_user,
    token_secret=os.environ["JWT_SECRET"],
    exclude=["/schema"],
)
app = Litestar(
    [NoteController], plugins=[SQLAlchemyPlugin(database)], on_app_init=[auth.on_app_init]
)


def prepare() -> None:
    """The plugin makes the tables when it starts."""
