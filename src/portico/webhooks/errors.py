"""What can go wrong with webhooks.

WebhookEndpointNotFound   webhook_endpoint_not_found   404
WebhookDeliveryNotFound   webhook_delivery_not_found   404
WebhookEndpointInvalid    webhook_endpoint_invalid     422   the address or an event's name; `errors` names the field
WebhookEndpointDisabled   webhook_endpoint_disabled    409
SignatureInvalid          webhook_signature_invalid    400   only where Portico is the receiver: the local catch-all
"""

from portico.core.errors import Conflict, FieldFault, Invalid, Malformed, NotFound


class WebhookEndpointNotFound(NotFound):
    """There is no such endpoint."""

    code, title = "webhook_endpoint_not_found", "There is no such endpoint"


class WebhookDeliveryNotFound(NotFound):
    """There is no such delivery, or it is no longer kept."""

    code, title = "webhook_delivery_not_found", "There is no such delivery"


class WebhookEndpointInvalid(Invalid):
    """The address is not one that we call, or an event's name is not one that we know."""

    code, title = "webhook_endpoint_invalid", "The endpoint cannot be used like this"

    def __init__(self, message: str = "", *, field: str = "url") -> None:
        super().__init__(errors=[FieldFault("invalid", message, field)] if message else ())


class WebhookEndpointDisabled(Conflict):
    """Nothing is sent to an endpoint that is switched off."""

    code, title = "webhook_endpoint_disabled", "The endpoint is switched off: enable it first"


class SignatureInvalid(Malformed):
    """The signature is missing, under another secret, or too old."""

    code, title = "webhook_signature_invalid", "The signature is not good"
