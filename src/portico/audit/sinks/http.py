"""JSON lines by HTTP: one POST a batch, `application/x-ndjson`; any 2xx is taken for an acknowledgement."""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from portico.audit.settings import AuditSettings
from portico.audit.sinks.port import SinkFailed, json_line
from portico.audit.types import ChainedEntry
from portico.outbound import Outbound, OutboundAnswer, OutboundError, OutboundRequest, Target
from portico.runtime import Runtime

NDJSON = "application/x-ndjson"


class HttpSink:
    """Posts batches to one URL."""

    def __init__(
        self, outbound: Outbound, url: str, authorization: SecretStr | None, *, with_personal: bool
    ) -> None:
        self._outbound = outbound
        self._url = url
        self._authorization = authorization
        self._with_personal = with_personal

    @classmethod
    def configured(cls, runtime: Runtime) -> "HttpSink | None":
        """Return the sink that the settings name, or None."""
        settings = runtime.section(AuditSettings)
        if settings.http_url is None:
            return None
        return cls(
            runtime.get(Outbound),
            settings.http_url,
            settings.http_authorization,
            with_personal=settings.ship_personal,
        )

    async def send(self, entries: Sequence[ChainedEntry]) -> None:
        """Post a batch.

        Raises:
            SinkFailed: the answer is none, or not a 2xx.
        """
        lines = [json_line(entry, with_personal=self._with_personal) for entry in entries]
        await posted(self._outbound, self._url, b"\n".join(lines) + b"\n", NDJSON, self._authorization)


async def posted(
    outbound: Outbound, url: str, body: bytes, content_type: str, authorization: SecretStr | None
) -> OutboundAnswer:
    """Post a body and return the answer.

    Raises:
        SinkFailed: the answer is none, or not a 2xx.
    """
    headers: Mapping[str, str] = {"Content-Type": content_type}
    if authorization is not None:
        headers = {**headers, "Authorization": authorization.get_secret_value()}
    request = OutboundRequest(target=Target.of(url), method="POST", headers=headers, body=body)
    try:
        answer = await outbound.send(request)
    except OutboundError as error:
        raise SinkFailed(str(error)) from error
    if not 200 <= answer.status < 300:
        raise SinkFailed(f"answered {answer.status}")
    return answer
