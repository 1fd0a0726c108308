"""The declarative base and the names of constraints."""

from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
TABLE_PREFIX = "portico_"


class Base(DeclarativeBase):
    """Base of every model, Portico's and the team's own: one metadata, so that foreign keys reach across."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class NamedTable(Base):
    """Base of Portico's own models: the table carries the prefix of its owner."""

    __abstract__ = True
    table: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "table" in cls.__dict__:
            cls.__tablename__ = TABLE_PREFIX + cls.table
        super().__init_subclass__(**kwargs)
