"""Times that PostgreSQL holds and Python does not: they are read as PostgreSQL writes them.

The years before 1 and after 9999, infinite intervals, and 24:00. asyncpg fails where it meets one;
a statement that only reads is then run again, with codecs that give a text for such a value. Runs
per request, after such a failure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from msframework._tested import missing_names
from msframework.db.lease import Lease
from msframework.db.statement import Kind, Statement
from msframework.db.statement_cache import FETCHROW, TABLE, Method
from msframework.db.tables import TEXT_CODECS, Codecs

_DAY: Final = 86_400_000_000
_EPOCH: Final = dt.datetime(2000, 1, 1)
_ORDINAL: Final = _EPOCH.toordinal()
_LAST: Final = dt.datetime.max
_FIRST: Final = dt.datetime.min
_ENDLESS: Final = 2**63 - 1
_ENDLESS_DAYS: Final = 2**31 - 1
_MICROSECOND: Final = dt.timedelta(microseconds=1)
TickCounts = tuple[int, ...]


def is_beyond(exc: BaseException, method: Method, statement: Statement) -> bool:
    """Tell whether a row of *statement* held a time beyond Python's, and it may run again.

    NOTE: one that is stateless calls no function that might do more than read.
    """
    return (
        type(exc) in (OverflowError, ValueError)
        and method.limit is not None
        and statement.stateless
        and statement.kind is Kind.READ
        and not missing_names("asyncpg")  # by which codecs are lent
    )


async def read_beyond(
    lease: Lease, method: Method, query: str, args: Sequence[object], timeout: float | None
) -> Any:
    """Run *query* with texts for the times that Python does not hold."""
    statements = lease.statements
    if timeout is None:
        lease.deadline.begin()
    as_texts = method is TABLE and statements.texts.get(query)
    try:
        with statements.lent_codecs({**_CODECS, **TEXT_CODECS} if as_texts else _CODECS):
            statement = await lease.conn.prepare(query, timeout=timeout)
            run = statement.fetchrow if method is FETCHROW else statement.fetch
            found = await run(*args, timeout=timeout)
            lease.deadline.finish()
            return found
    finally:
        statements.forget()  # what was prepared before refers to types that asyncpg forgot


def _date_of(day: int) -> str:
    """Return the date that is *day* days after 2000-01-01, in the proleptic Gregorian calendar."""
    # Days of eras of 400 years, which begin on 1 March of the year 0.
    era, rest = divmod(day + _ORDINAL + 305, 146_097)
    year = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    days = rest - (365 * year + year // 4 - year // 100)
    month = (5 * days + 2) // 153
    number = days - (153 * month + 2) // 5 + 1
    year, month = year + era * 400 + (month > 9), (month + 2) % 12 + 1
    if year > 0:
        return f"{year:04d}-{month:02d}-{number:02d}"
    return f"{1 - year:04d}-{month:02d}-{number:02d} BC"


def _clock_text(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest:06d}" if rest else text


def _read_moment(
    ticks: TickCounts, zone: str, made: Callable[[dt.datetime], dt.datetime]
) -> dt.datetime | str:
    (microseconds,) = ticks
    if microseconds == _ENDLESS:
        return _LAST
    if microseconds == -_ENDLESS - 1:
        return _FIRST
    try:
        return made(_EPOCH + dt.timedelta(microseconds=microseconds))
    except OverflowError:
        day, time = divmod(microseconds, _DAY)
        date, _, era = _date_of(day).partition(" ")
        return f"{date}T{_clock_text(time)}{zone}{' ' if era else ''}{era}"


def _read_timestamp(ticks: TickCounts) -> dt.datetime | str:
    return _read_moment(ticks, "", lambda moment: moment)


def _read_timestamptz(ticks: TickCounts) -> dt.datetime | str:
    return _read_moment(ticks, "+00:00", lambda moment: moment.replace(tzinfo=dt.UTC))


def _read_date(ticks: TickCounts) -> dt.date | str:
    (day,) = ticks
    if day == _ENDLESS_DAYS:
        return dt.date.max
    if day == -_ENDLESS_DAYS - 1:
        return dt.date.min
    try:
        return dt.date.fromordinal(day + _ORDINAL)
    except (OverflowError, ValueError):
        return _date_of(day)


def _read_time(ticks: TickCounts) -> dt.time | str:
    (microseconds,) = ticks
    return "24:00:00" if microseconds == _DAY else _make_time(microseconds)


def _read_timetz(ticks: TickCounts) -> dt.time | str:
    microseconds, west = ticks
    zone = dt.timezone(dt.timedelta(seconds=-west))
    if microseconds == _DAY:
        return f"24:00:00{dt.time(tzinfo=zone).isoformat()[8:]}"
    return _make_time(microseconds).replace(tzinfo=zone)


def _make_time(microseconds: int) -> dt.time:
    return (_EPOCH + dt.timedelta(microseconds=microseconds)).time()


def _read_interval(ticks: TickCounts) -> dt.timedelta | str:
    months, days, microseconds = ticks
    if ticks == (_ENDLESS_DAYS, _ENDLESS_DAYS, _ENDLESS):
        return "infinity"
    if ticks == (-_ENDLESS_DAYS - 1, -_ENDLESS_DAYS - 1, -_ENDLESS - 1):
        return "-infinity"
    years, months = int(months / 12), months - 12 * int(months / 12)
    try:
        # As asyncpg has it: a year has 365 days, a month 30.
        return dt.timedelta(days=years * 365 + months * 30 + days, microseconds=microseconds)
    except OverflowError:
        return f"{years} years {months} mons {days} days {microseconds / 1e6} secs"


def _write_date(value: dt.date) -> TickCounts:
    if value == dt.date.max:
        return (_ENDLESS_DAYS,)
    return (-_ENDLESS_DAYS - 1 if value == dt.date.min else value.toordinal() - _ORDINAL,)


def _write_timestamp(value: dt.date) -> TickCounts:
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value == _LAST:
        return (_ENDLESS,)
    return (-_ENDLESS - 1 if value == _FIRST else (value - _EPOCH) // _MICROSECOND,)


def _write_timestamptz(value: dt.date) -> TickCounts:
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value in (_LAST, _FIRST):
        return _write_timestamp(value)
    return _write_timestamp(value.astimezone(dt.UTC).replace(tzinfo=None))


def _write_time(value: dt.time) -> TickCounts:
    moment = dt.datetime.combine(_EPOCH, value.replace(tzinfo=None))
    return ((moment - _EPOCH) // _MICROSECOND,)


def _write_timetz(value: dt.time) -> TickCounts:
    offset = value.utcoffset() or dt.timedelta()
    return (*_write_time(value), -int(offset.total_seconds()))


def _write_interval(value: dt.timedelta) -> TickCounts:
    return (0, value.days, value.seconds * 1_000_000 + value.microseconds)


# By the number of their type in PostgreSQL's catalogue.
_CODECS: Final[Codecs] = {
    1082: ("date", _write_date, _read_date, "tuple"),
    1083: ("time", _write_time, _read_time, "tuple"),
    1114: ("timestamp", _write_timestamp, _read_timestamp, "tuple"),
    1184: ("timestamptz", _write_timestamptz, _read_timestamptz, "tuple"),
    1186: ("interval", _write_interval, _read_interval, "tuple"),
    1266: ("timetz", _write_timetz, _read_timetz, "tuple"),
}
