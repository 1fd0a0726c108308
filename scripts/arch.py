"""The architecture as data, and its checks: `python scripts/arch.py` (add `--write` to renew `.importlinter`).

Writes the import contracts from the floors below (a folder without a floor fails), and checks by reading the code
what imports cannot tell: names of files, who may commit, who may ask the operating system for time or chance, and
calls that are never made (SECURITY_BAR, V1 and V11).
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "portico"
CONTRACTS = ROOT / ".importlinter"

FLOORS = (
    "testing", "cli", "worker", "app", "composition",
    # features, top floor first
    "admin", "alerts", "webhooks", "resource_server", "oauth", "api_keys", "organizations", "sessions", "credentials",
    "users", "access", "tokens", "mail", "audit", "keys",
    # ground floors
    "feature", "web", "http", "messaging", "outbound", "coordination", "runtime", "db", "core",
)  # fmt: skip
FEATURES = (
    "admin",
    "alerts",
    "webhooks",
    "oauth",
    "api_keys",
    "organizations",
    "sessions",
    "credentials",
    "users",
    "access",
    "tokens",
    "mail",
    "audit",
    "keys",
)
BANNED_NAMES = {"utils", "helpers", "common", "misc", "tools"}
TIME_AND_CHANCE = {
    "datetime.now", "datetime.utcnow", "time.time", "uuid.uuid4", "uuid4", "os.urandom",
    "secrets.token_bytes", "secrets.token_urlsafe", "secrets.token_hex", "random.random", "random.choice",
}  # fmt: skip
NEVER = {
    "eval",
    "exec",
    "pickle.loads",
    "pickle.load",
    "os.system",
    "yaml.load",
    "marshal.loads",
    "hashlib.md5",
}
SHA1_ALLOWED = {"credentials/breached.py", "coordination/redis_counters.py"}
"""SHA-1 names entries of the list of breached passwords and scripts on Redis; it protects nothing there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule, at one line."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.message}"


def contracts() -> str:
    """Return the text of `.importlinter`."""
    parts = [
        "# Written by `python scripts/arch.py --write` from the floors named there; do not edit by hand.",
        "[importlinter]",
        "root_package = portico",
        "include_external_packages = True",
        "",
        "[importlinter:contract:floors]",
        "name = A file imports from its own floor or from floors below, never up",
        "type = layers",
        "containers = portico",
        "exhaustive = True",
        "layers =",
        *(f"    {floor}" for floor in FLOORS),
        "",
        *_forbidden(
            "services", "Services know no HTTP framework and no SQL", ("fastapi", "starlette", "sqlalchemy")
        ),
        *_forbidden("routes", "Routes know no SQL", ("sqlalchemy",)),
        *_forbidden("pages", "Pages know no SQL", ("sqlalchemy",)),
        *_forbidden("repositories", "Repositories know no HTTP", ("fastapi", "starlette")),
        *(line for feature in FEATURES for line in _protected(feature)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _forbidden(layer: str, name: str, modules: tuple[str, ...]) -> list[str]:
    sources = [f"    portico.{feature}.{layer}" for feature in FEATURES if _has(feature, layer)]
    if not sources:
        return []
    return [
        f"[importlinter:contract:{layer}]",
        f"name = {name}",
        "type = forbidden",
        "allow_indirect_imports = True",
        "source_modules =",
        *sources,
        "forbidden_modules =",
        *(f"    {module}" for module in modules),
        "",
    ]


def _protected(feature: str) -> list[str]:
    private = [layer for layer in ("repositories", "routes", "pages") if _has(feature, layer)]
    if not private:
        return []
    return [
        f"[importlinter:contract:private-{feature}]",
        f"name = Nobody but {feature} uses its repositories, routes and pages",
        "type = protected",
        "protected_modules =",
        *(f"    portico.{feature}.{layer}" for layer in private),
        "allowed_importers =",
        f"    portico.{feature}",
        "",
    ]


def _has(feature: str, layer: str) -> bool:
    folder = SOURCE / feature
    return (folder / f"{layer}.py").exists() or (folder / layer / "__init__.py").exists()


def code_findings() -> Iterator[Finding]:
    """Yield what reading the code finds."""
    for path in sorted(SOURCE.rglob("*.py")):
        if path.stem in BANNED_NAMES:
            yield Finding(path, 1, f"no module is called {path.stem}: name what it does")
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            yield from _call_findings(path, node)


def _call_findings(path: Path, node: ast.AST) -> Iterator[Finding]:
    if not isinstance(node, ast.Call):
        return
    inside = path.relative_to(SOURCE).as_posix()
    name = ast.unparse(node.func)
    if name in NEVER:
        yield Finding(path, node.lineno, f"{name} is never called")
    if name == "hashlib.sha1" and inside not in SHA1_ALLOWED:
        yield Finding(path, node.lineno, "SHA-1 protects nothing")
    if name in TIME_AND_CHANCE and not inside.startswith(("core/", "testing/")):
        yield Finding(path, node.lineno, f"{name}: time, chance and ids come from core")
    if name.endswith(".commit") and not inside.startswith(("db/", "testing/", "cli/")):
        yield Finding(path, node.lineno, "only db/ commits")
    if any(word.arg == "shell" and ast.unparse(word.value) == "True" for word in node.keywords):
        yield Finding(path, node.lineno, "no shell")
    takes_sql = name in {"text", "sa.text"} or name.endswith("exec_driver_sql")
    if takes_sql and node.args and isinstance(node.args[0], ast.JoinedStr):
        yield Finding(path, node.lineno, "SQL is not put together from strings")


def main() -> int:
    """Renew or compare the contracts, then report the findings; 1 if anything is wrong."""
    expected = contracts()
    if "--write" in sys.argv:
        CONTRACTS.write_text(expected)
    findings = list(code_findings())
    for finding in findings:
        print(finding)
    stale = not CONTRACTS.exists() or CONTRACTS.read_text() != expected
    if stale:
        print(".importlinter is stale: run `python scripts/arch.py --write`")
    return 1 if findings or stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
