"""What can go wrong with a mail before it is written down."""

from portico.core.errors import Invalid


class AddressRefused(Invalid):
    """The text is not exactly one address that mail can be sent to."""

    code, title = "email_invalid", "This is not an e-mail address"
