"""The shop's tables, beside Portico's in the same database."""

from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.db import Base, EnumText, Identified, Timestamped
from shop.types import OrderStatus


class Order(Identified, Timestamped, Base):
    """One thing that a person ordered."""

    __tablename__ = "shop_orders"

    user_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"), index=True
    )
    product: Mapped[str] = mapped_column(String(100))
    quantity: Mapped[int] = mapped_column(Integer)
    status: Mapped[OrderStatus] = mapped_column(EnumText(OrderStatus))
