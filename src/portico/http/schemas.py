"""Bases of request and response shapes."""

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """A request body: unknown fields are refused, types are strict, text is bounded by each field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class ResponseModel(BaseModel):
    """A response body, made from models or values by attribute."""

    model_config = ConfigDict(from_attributes=True, frozen=True, use_attribute_docstrings=True)
