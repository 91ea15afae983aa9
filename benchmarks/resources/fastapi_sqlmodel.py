"""The resource in FastAPI with SQLModel."""

import os
from datetime import UTC, datetime
from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import DateTime
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))


# The resource.
class NoteBase(SQLModel):
    title: str = Field(max_length=128)
    body: str = ""


class Note(NoteBase, table=True):
    __tablename__ = "notes"
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = Field(index=True)
    title: str = Field(max_length=128, unique=True)
    create_time: datetime = Field(
        default_factory=lambda: datetime.now(UTC), sa_type=DateTime(timezone=True)
    )


class NoteCreate(NoteBase):
    pass


class NoteUpdate(SQLModel):
    title: str | None = Field(default=None, max_length=128)
    body: str | None = None


class NotePublic(NoteBase):
    id: int
    create_time: datetime


class NotePage(BaseModel):
    data: list[NotePublic]
    page: int
    per_page: int
    total: int


class NoteFilters(BaseModel):
    title__icontains: str | None = None
    create_time__gte: datetime | None = None
    page: int = Field(1, ge=1)
    per_page: int = Field(20, ge=1, le=100)


class Problem(BaseModel):
    detail: str


def get_session():
    with Session(engine) as session:
        yield session


bearer = HTTPBearer()


def get_user(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> int:
    try:
        claims = jwt.decode(credentials.credentials, os.environ["JWT_SECRET"], ["HS256"])
        return int(claims["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


SessionDep = Annotated[Session, Depends(get_session)]
UserDep = Annotated[int, Depends(get_user)]


def get_note(note_id: int, session: SessionDep, user: UserDep) -> Note:
    statement = select(Note).where(Note.id == note_id, Note.owner_id == user)
    note = session.exec(statement).first()
    if note is None:
        raise HTTPException(404, "Note not found")
    return note


NoteDep = Annotated[Note, Depends(get_note)]
router = APIRouter(prefix="/notes", tags=["notes"], responses={401: {"model": Problem}})


@router.get("")
def list_notes(
    session: SessionDep, user: UserDep, filters: Annotated[NoteFilters, Query()]
) -> NotePage:
    notes = select(Note).where(Note.owner_id == user)
    if filters.title__icontains is not None:
        notes = notes.where(Note.title.icontains(filters.title__icontains, autoescape=True))
    if filters.create_time__gte is not None:
        notes = notes.where(Note.create_time >= filters.create_time__gte)
    total = session.exec(select(func.count()).select_from(notes.subquery())).one()
    offset = (filters.page - 1) * filters.per_page
    rows = session.exec(notes.order_by(Note.id).offset(offset).limit(filters.per_page)).all()
    return NotePage(data=rows, page=filters.page, per_page=filters.per_page, total=total)


@router.post("", status_code=201, responses={409: {"model": Problem}})
def create_note(body: NoteCreate, session: SessionDep, user: UserDep) -> NotePublic:
    note = Note.model_validate(body, update={"owner_id": user})
    session.add(note)
    return save(note, session)


@router.get("/{note_id}", responses={404: {"model": Problem}})
def read_note(note: NoteDep) -> NotePublic:
    return note


@router.patch("/{note_id}", responses={404: {"model": Problem}, 409: {"model": Problem}})
def update_note(body: NoteUpdate, note: NoteDep, session: SessionDep) -> NotePublic:
    note.sqlmodel_update(body.model_dump(exclude_unset=True))
    return save(note, session)


@router.delete("/{note_id}", status_code=204, responses={404: {"model": Problem}})
def delete_note(note: NoteDep, session: SessionDep) -> None:
    session.delete(note)
    session.commit()


def save(note: Note, session: Session) -> Note:
    try:
        session.commit()
    except IntegrityError as exc:
        session.rollback()
        raise HTTPException(409, "Another note has this title") from exc
    session.refresh(note)
    return note


# The service.
app = FastAPI()
app.include_router(router)


def prepare() -> None:
    SQLModel.metadata.create_all(engine)
