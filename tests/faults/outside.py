"""Stories whose effects leave the house: mail by SMTP, and webhooks. For deployments beside `sinks.outside`."""

from collections.abc import AsyncIterator

from portico.webhooks.models import WebhookDelivery
from portico.webhooks.services import Endpoints, NewEndpoint
from tests.faults.sinks import hooked
from tests.faults.stories import ForgetPassword, SignUp, Story
from tests.faults.world import World


class SignUpBySmtp(SignUp):
    """The mail of a sign-up goes to a server, which may have it twice, but then with the same Message-ID."""

    name = "sign_up_smtp"


class ForgetPasswordBySmtp(ForgetPassword):
    """The same for the mail of a reset."""

    name = "forget_password_smtp"


class SignUpToldByWebhook(SignUp):
    """An endpoint hears of the sign-up: once, or again with the same id."""

    name = "sign_up_webhook"

    async def prepare(self, world: World) -> None:
        endpoints = Endpoints(world.runtime, world.runtime.unit())
        await endpoints.create_endpoint(NewEndpoint(url=world.hook_url, event_names=["user.*"]))
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        async for fault in super().check(world):
            yield fault
        deliveries = await world.rows(WebhookDelivery)
        arrived = hooked(world.folder / "data")
        if not deliveries:
            yield "nothing was to be delivered"
        if {row.message_id for row in deliveries} != set(arrived):
            yield f"to be delivered: {[row.event_name for row in deliveries]}, arrived: {arrived}"
        if world.history.has_ended and len(set(arrived)) != len(arrived):
            yield f"delivered twice though nobody died: {arrived}"


STORIES: tuple[type[Story], ...] = (SignUpBySmtp, ForgetPasswordBySmtp, SignUpToldByWebhook)
