"""The program of the guide to protected APIs runs as it stands, and refuses as the guide says."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "protecting-your-api.md"
pytestmark = pytest.mark.anyio


@pytest.fixture
def app(tmp_path: Path) -> Any:
    (text,) = re.findall(
        r'^```python title="api.py"\n(.*?)^```', GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    path = tmp_path / "api_of_the_guide.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


async def test_program_of_the_guide(app: Any) -> None:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
        refused = await client.get("/notes")
        described = await client.get("/.well-known/oauth-protected-resource/notes")

    assert refused.status_code == 401
    assert "/.well-known/oauth-protected-resource/notes" in refused.headers["www-authenticate"]
    assert described.json()["authorization_servers"] == ["https://id.example.com"]
