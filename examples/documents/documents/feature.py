"""A whole feature on one page: rights, shapes, what is done, the API, the declaration.

One that grows gets a file for each of these, as the shop beside it has.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import select

from documents.models import Document
from portico.access.policies import any_of, holds, owner_of
from portico.access.services import authorize
from portico.access.types import OrganizationRole as Role
from portico.audit.services import record
from portico.core.errors import NotFound
from portico.core.permissions import Permission
from portico.db import Unit
from portico.feature import Feature
from portico.http.access import requires
from portico.http.authentication import Principal
from portico.http.dependencies import PrincipalDep, tenant_service
from portico.http.pagination import Cursors, Ordering, Page, PageQuery, fetch_page
from portico.http.schemas import RequestModel, ResponseModel
from portico.runtime import Runtime


class May(Permission):
    """What one may do with an organization's documents; whoever wrote one may delete it."""

    READ = "document:document:read"
    WRITE = "document:document:write"
    DELETE = "document:document:delete"


class NewDocument(RequestModel):
    """What to keep."""

    title: str = Field(min_length=1, max_length=200)
    text: str = Field("", max_length=100_000)


class DocumentView(ResponseModel):
    """One document."""

    id: UUID
    author_id: UUID | None
    title: str
    text: str


class Documents:
    """The documents of the organization that the unit of work belongs to."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime, self._unit = runtime, unit

    async def list_documents(self, query: PageQuery) -> Page[DocumentView]:
        """Return one page, by number or by cursor, in the order of their making."""
        order, cursors = Ordering(Document.id, Document.id, query.descending), Cursors.of(self._runtime)
        async with self._runtime.reads(self._unit.organization_id) as session:
            found = await fetch_page(
                session, select(Document), query=query, ordering=order, cursors=cursors, route="documents"
            )
        return found.to_page(DocumentView.model_validate)

    async def get_document(self, document_id: UUID) -> DocumentView:
        """Return one document, or answer 404."""
        async with self._runtime.reads(self._unit.organization_id) as session:
            if (document := await session.get(Document, document_id)) is None:
                raise NotFound
        return DocumentView.model_validate(document)

    async def add_document(self, new: NewDocument, author: Principal) -> DocumentView:
        """Keep a new document; the organization is filled in by itself."""
        async with self._unit as unit:
            unit.session.add(document := Document(**new.model_dump(), author_id=author.id))
            await unit.session.flush()
        return DocumentView.model_validate(document)

    async def delete_document(self, document_id: UUID, actor: Principal) -> None:
        """Delete a document: its author may, and who holds the permission. It stands on the trail."""
        async with self._unit as unit:
            here = unit.organization_id
            if (document := await unit.session.get(Document, document_id)) is None:
                raise NotFound
            await authorize(self._runtime, actor, May.DELETE, document, organization_id=here, unit=unit)
            await unit.session.delete(document)
            subject = ("document", document_id)
            record(
                self._runtime, unit, "document.deleted", actor=actor, subject=subject, organization_id=here
            )


router = APIRouter(prefix="/organizations/{organization_id}/documents", tags=["documents"])
DocumentsDep = Annotated[Documents, Depends(tenant_service(Documents))]
may_read = [Depends(requires(May.READ))]
may_write = [Depends(requires(May.WRITE))]


@router.get("", dependencies=may_read, summary="List documents")
async def list_documents(query: Annotated[PageQuery, Query()], documents: DocumentsDep) -> Page[DocumentView]:
    """Return one page of the organization's documents."""
    return await documents.list_documents(query)


@router.post("", status_code=201, dependencies=may_write, summary="Add a document")
async def add_document(new: NewDocument, principal: PrincipalDep, documents: DocumentsDep) -> DocumentView:
    """Keep a document; with an `Idempotency-Key` a repeated request keeps one."""
    return await documents.add_document(new, principal)


@router.get("/{document_id}", dependencies=may_read, summary="Read a document")
async def get_document(document_id: UUID, documents: DocumentsDep) -> DocumentView:
    """Return one document."""
    return await documents.get_document(document_id)


@router.delete("/{document_id}", status_code=204, dependencies=may_write, summary="Delete a document")
async def delete_document(document_id: UUID, principal: PrincipalDep, documents: DocumentsDep) -> None:
    """Delete a document of one's own, or any with the permission to."""
    await documents.delete_document(document_id, principal)


def documents_feature() -> Feature:
    """Return the declaration; owners hold everything without being named."""
    return Feature(
        name="documents",
        routers=[router],
        permissions=May,
        roles={Role.VIEWER: {May.READ}, Role.MEMBER: {May.READ, May.WRITE}, Role.ADMIN: set(May)},
        policies={May.DELETE: any_of(holds, owner_of("author_id"))},
        migrations="documents.migrations",
    )
