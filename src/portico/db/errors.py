"""What the database answers, in the words of the product."""

from portico.core.errors import Conflict, Unavailable


class DatabaseBusy(Unavailable):
    """No connection or no turn to write within the time allowed; nothing was written."""

    code, title = "database_busy", "The server is busy, try again in a moment"


class DatabaseAway(Unavailable):
    """The database cannot be reached or broke off; nothing was answered as done."""

    code, title = "database_unavailable", "The database cannot be reached"


class DatabaseFull(Unavailable):
    """The disk of the database is full; nothing was written, reads go on."""

    code, title = "database_full", "The server cannot store anything at the moment"


class EditConflict(Conflict):
    """Somebody else changed the row between our read and our write."""

    code, title = "edit_conflict", "Someone changed this in the meantime"
