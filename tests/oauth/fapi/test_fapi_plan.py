"""That every module of the FAPI 2.0 plans has a test of its name, or a reason why it has none."""

from pathlib import Path

import pytest

PREFIX = "fapi2-security-profile-final-"
FOLDER = Path(__file__).parent
OF_OTHERS = {
    "australia-connectid-ensure-request-object-with-exp-over-10-fails": "limits of ConnectID; ours are the profile's",
    "australia-connectid-ensure-request-object-with-nbf-over-15-fails": "limits of ConnectID; ours are the profile's",
    "australia-connectid-ensure-invalid-purpose-fails": "`purpose` is a parameter of ConnectID",
    "australia-connectid-test-claims-parameter-idtoken-identity-claims": "claims of ConnectID; see the plain module",
    "brazil-ensure-bad-payment-signature-fails": "payments of Open Finance Brazil",
    "ensure-server-handles-non-matching-intent-id": "intents of the Open Banking profiles",
}


@pytest.mark.bar("A24-24.1")
def test_every_module_is_played_or_belongs_to_another_ecosystem() -> None:
    modules = {name.removeprefix(PREFIX) for name in (FOLDER / "modules.txt").read_text().split()}
    code = "".join(path.read_text() for path in FOLDER.glob("test_*.py"))

    missing = {name for name in modules if f"def test_{name.replace('-', '_')}(" not in code}

    assert missing == OF_OTHERS.keys()
