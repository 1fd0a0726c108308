"""Who may call what, as text: route by role by credential, one line a route, made to be committed and compared.

    GET /api/v1/admin/users  platform:user:list  support:ski auditor:ski superuser:ski

The letters say by what: `s` a session of one's own, `k` an API key with the scope, `i` an impersonator's session. A
role that is not named is refused. `public` is open to all. `person` stands for everybody over himself.
"""

from collections.abc import Iterable, Iterator

from portico.access.roles import RoleBook
from portico.access.types import PlatformRole
from portico.core.permissions import Permission, Reach
from portico.http.routing import RouteRow

HEADER = (
    "# Who may call what. s: in a session of his own, k: by an API key with the scope, i: while somebody impersonates\n"
    "# him. Roles that are not named are refused. Written by `portico authz matrix --write FILE`.\n"
)
PUBLIC = "public"


def matrix_text(rows: Iterable[RouteRow], book: RoleBook) -> str:
    """Return the table of all routes, sorted by path and method."""
    lines = sorted({_line(row, book) for row in rows if row.method != "HEAD"}, key=_by_path)
    return HEADER + "".join(f"{line}\n" for line in lines)


def changes_between(before: str, after: str) -> list[str]:
    """Return what another table allows and does not, a line each: wider, narrower, new and gone routes."""
    old, new = _read(before), _read(after)
    return [change for name in sorted(old.keys() | new.keys()) for change in _changes(name, old, new)]


def _line(row: RouteRow, book: RoleBook) -> str:
    asked = [needed.permission for needed in row.entry.requires]
    needs = " + ".join(
        f"{needed.permission}{f' when {needed.when.name}' if needed.when else ''}"
        for needed in row.entry.requires
    )
    allowed = [f"{role}:{letters}" for role in _roles(book) if (letters := _letters(role, asked, book))]
    return "  ".join(
        [f"{row.method} {row.path}", needs or PUBLIC, " ".join(allowed if asked else [])]
    ).rstrip()


def _roles(book: RoleBook) -> list[str]:
    ordered = sorted(book.system, key=lambda role: (len(book.system[role]), role))
    return ["person", *ordered, *sorted(PlatformRole, key=lambda role: role is PlatformRole.SUPERUSER)]


def _letters(role: str, asked: list[Permission], book: RoleBook) -> str:
    if not asked or not all(_holds(role, permission, book) for permission in asked):
        return ""
    return "s" if any(permission.is_interactive for permission in asked) else "ski"


def _holds(role: str, permission: Permission, book: RoleBook) -> bool:
    if permission.reach is Reach.SELF:
        return role == "person"
    if permission.reach is Reach.PLATFORM:
        return book.platform_holds([role], permission.value)
    return permission.value in book.of_organization(role) or role == PlatformRole.SUPERUSER


def _by_path(line: str) -> tuple[str, str]:
    method, _, rest = line.partition(" ")
    return rest, method


def _read(text: str) -> dict[str, tuple[str, frozenset[tuple[str, str]]]]:
    """Return what each route needs and whom it lets in, by which letter."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, needs, *roles = line.split("  ")
        granted = (grant.rpartition(":") for grant in " ".join(roles).split())
        found[name] = needs, frozenset((role, letter) for role, _, letters in granted for letter in letters)
    return found


def _changes(
    name: str,
    old: dict[str, tuple[str, frozenset[tuple[str, str]]]],
    new: dict[str, tuple[str, frozenset[tuple[str, str]]]],
) -> Iterator[str]:
    if name not in new:
        yield f"gone      {name}"
        return
    needs, allowed = new[name]
    if name not in old:
        yield f"new       {name}  {needs}"
        return
    before_needs, before = old[name]
    if before_needs != needs:
        word = {PUBLIC: "wider"}.get(needs) or {PUBLIC: "narrower"}.get(before_needs, "changed")
        yield f"{word:<9} {name}  {before_needs} -> {needs}"
        if PUBLIC in {before_needs, needs}:
            return
    yield from (f"wider     {name}  {role} by {letter}" for role, letter in sorted(allowed - before))
    yield from (f"narrower  {name}  {role} by {letter}" for role, letter in sorted(before - allowed))
