"""Places are told where a database knows them, and never stand in the way."""

from pathlib import Path

from portico.sessions.places import GeoIpPlaces, NoPlaces, places_from


class _Reader:
    def __init__(self, record: object) -> None:
        self._record = record

    def get(self, address: object) -> object:
        return self._record


def _places(record: object) -> GeoIpPlaces:
    places = GeoIpPlaces.__new__(GeoIpPlaces)
    places._reader = _Reader(record)  # type: ignore[assignment]  # only `get` is used
    return places


def test_place_when_city_and_country_are_known() -> None:
    record = {"city": {"names": {"en": "Bern"}}, "country": {"names": {"en": "Switzerland"}}}

    assert _places(record).place_of("192.0.2.1") == "Bern, Switzerland"


def test_place_when_only_the_country_is_known() -> None:
    assert _places({"country": {"names": {"en": "Chad"}}}).place_of("2001:db8::1") == "Chad"


def test_country_is_told_by_its_two_letters() -> None:
    assert _places({"country": {"iso_code": "TD"}}).country_of("2001:db8::1") == "TD"
    assert _places({"country": {"names": {"en": "Chad"}}}).country_of("192.0.2.1") is None
    assert _places({"country": {"iso_code": "<b>"}}).country_of("192.0.2.1") is None
    assert _places(["odd"]).country_of("192.0.2.1") is None
    assert _places({"country": {"iso_code": "TD"}}).country_of("no address") is None
    assert NoPlaces().country_of("192.0.2.1") is None


def test_place_when_record_or_address_is_garbage() -> None:
    assert _places(["odd"]).place_of("192.0.2.1") is None
    assert _places({"city": {"names": {"en": 7}}}).place_of("192.0.2.1") is None
    assert _places({}).place_of("not an address") is None
    assert _places({}).place_of(None) is None


def test_places_when_database_is_missing_or_no_database(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"nonsense" * 100)

    assert isinstance(places_from(None), NoPlaces)
    assert isinstance(places_from(tmp_path / "missing.mmdb"), NoPlaces)
    assert isinstance(places_from(broken), NoPlaces)
