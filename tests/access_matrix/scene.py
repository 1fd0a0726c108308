"""The people, objects and credentials of the access matrix: who asks, and whose things are asked for.

Ada owns what the ids in paths and bodies name, and the organization. Bob has nothing to do with her; Grace is the
administrator.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx2

from portico.alerts.catalogue import FAILED_SIGN_INS
from portico.alerts.models import Alert
from portico.alerts.types import AlertStatus
from portico.api_keys.services import ApiKeys, ServiceAccounts
from portico.api_keys.services.scopes import delegable
from portico.api_keys.types import IssuedKey, NewKey, NewServiceAccount
from portico.core.crypto import b64encode
from portico.core.ids import OrganizationId, UserId, new_id
from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.credentials.services import RegistrationTokens, issue_setup_link
from portico.http.authentication import CredentialKind, Principal
from portico.http.csrf import token_for
from portico.oauth.pipeline.asks import Transport
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.oauth.protocol.rfc8628_device import new_user_code
from portico.oauth.repositories.devices import DeviceRepository
from portico.oauth.services.authorizing import Authorizing, SignInNeeded
from portico.oauth.services.client_administration import ClientAdministration, ClientWish
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.devices import SEAL_KEY, USER_CODE_KEY
from portico.oauth.services.grants import Grants as ClientGrants, NewGrant
from portico.oauth.services.initial_tokens import InitialTokens
from portico.oauth.services.resource_administration import ResourceAdministration
from portico.oauth.types import ClientKind, ClientSource, DeviceState, GrantType
from portico.organizations.domain_names import record_value
from portico.organizations.models import Invitation
from portico.organizations.resolving import Resolver
from portico.organizations.services import Members, NewOrganization, Organizations, Roles, Teams
from portico.organizations.services.domains import Domains
from portico.organizations.services.offers import SECRETS
from portico.organizations.types import Joined
from portico.runtime import Runtime
from portico.sessions.services import Impersonations, Sessions, live_session, principal_of
from portico.testing.clock import FrozenClock
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from portico.users.types import Account
from portico.webhooks.services import Endpoints, NewEndpoint
from tests.access_matrix.table import Row
from tests.integration.ground import EVIL, Person, enter, make_superuser
from tests.sessions.people import PAGE_COOKIE, PASSWORD

TOKEN_LIFE = timedelta(minutes=15)
NEW_PASSWORD = "a calculus of the nervous system"
NAMES = count(1)
OF_ORGANIZATIONS = (
    "{organization_id}",
    "{key_id}",
    "{service_account_id}",
    "{invitation_id}",
    "{domain_id}",
    "$key",
    "{alert_id}",
    "$alert",
    "$slug",
    "$organization",
    "$member",
    "$invitation",
    "$offer",
    "$domain",
    "/oauth/connections/",
    "$connected",
)
"""What a route or a body speaks of that only an organization of Ada's, or a key of hers, makes good."""
BY_KEY = frozenset({"key", "narrow"})

type Credential = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Belongings:
    """Ada's organization, her keys, and those of the organization."""

    organization_id: str
    slug: str
    member_id: str
    team_id: str
    role_id: str
    service_account_id: str
    own_key_id: str
    organization_key_id: str
    invitation_id: str
    """Of her organization, to somebody."""
    offer_id: str
    """Of another organization, to her."""
    offer: str
    """Its secret."""
    domain_id: str
    client_key: str
    """Of a client of her organization, which she has connected there."""
    secret_id: str
    alert_id: str
    """About her account, in her organization."""
    by_key: Mapping[str, Credential]


@dataclass(slots=True)
class Scene:
    """Three people, and what a request needs to name their things; a person who was changed is replaced."""

    runtime: Runtime
    clock: FrozenClock
    origin: str
    password_hash: str
    people: dict[str, Person] = field(default_factory=dict)
    dead: dict[str, Credential] = field(default_factory=dict)
    token_id: str = ""
    endpoint_id: str = ""
    delivery_id: str = ""
    client_id: str = ""
    """Of an application that registered itself."""
    client_key: str = ""
    """Of a client that Grace registered; it has a secret."""
    secret_id: str = ""
    resource_id: str = ""
    initial_token_id: str = ""
    user_code: str = ""
    """Of the device that began to wait last."""
    acting: Credential = field(default_factory=dict)
    """Of Grace, while she acts in Ada's name."""
    belongings: Belongings | None = None
    """Made when they are first needed, and anew with each new Ada."""

    @classmethod
    async def made(cls, runtime: Runtime, clock: FrozenClock) -> "Scene":
        """Return a scene with everybody in it."""
        password_hash = await runtime.get(Passwords).hash(PASSWORD)
        scene = cls(runtime, clock, runtime.settings.public_url, password_hash)
        scene.dead = {
            "garbage": _bearer("garbage.of.no-kind"),
            "expired": await scene._expired(),
            "ended": await scene._ended(),
            "deactivated": await scene._deactivated(),
        }
        await scene.renew("ada", "bob", "grace")
        scene.belongings = await scene._made_belongings()
        return scene

    async def renew(self, *names: str) -> None:
        """Put a fresh person in each place; beside Grace a fresh token and webhook."""
        for name in names:
            self.people[name] = await self._person(name)
        if "ada" in names:
            self.belongings = None
        if "grace" in names:
            await self._renew_things()
        self.acting = await self._impersonation()

    async def _renew_things(self) -> None:
        issued = await RegistrationTokens(self.runtime, self.runtime.unit()).create_token()
        self.token_id = str(issued.id)
        new = NewEndpoint(url="https://hooks.example/", event_names=["*"])
        endpoint, _ = await Endpoints(self.runtime, self.runtime.unit()).create_endpoint(new)
        self.endpoint_id = str(endpoint.id)
        self.delivery_id = str(await Endpoints(self.runtime, self.runtime.unit()).send_test(endpoint.id))
        metadata = ClientMetadata(redirect_uris=("https://app.example/cb",))
        columns = {"registration_hash": bytes(32)}
        registered = await ClientRegistry(self.runtime, self.runtime.unit()).register_client(
            metadata, ClientSource.DYNAMIC, columns=columns
        )
        self.client_id = registered.client_id
        self.client_key, self.secret_id = await self._client(None)
        await self._renew_oauth_things()

    async def _renew_oauth_things(self) -> None:
        resources = ResourceAdministration(self.runtime, self.runtime.unit())
        url = f"https://files{next(NAMES)}.example.com/"
        self.resource_id = str((await resources.create_resource(url, {}, actor=None)).id)
        tokens = InitialTokens(self.runtime, self.runtime.unit())
        self.initial_token_id = str((await tokens.make_token("partner", actor=None)).id)

    async def _client(self, where: OrganizationId | None) -> tuple[str, str]:
        """Register a client; return its key and its secret's id."""
        wish = ClientWish(metadata={"client_name": "Robot"}, kind=ClientKind.MACHINE)
        clients = ClientAdministration(self.runtime, self.runtime.unit())
        made = await clients.create_client(wish, actor=None, organization_id=where)
        return str(made.row.id), str(made.secrets[0].id)

    def credential(self, column: str) -> Credential:
        """Return the headers by which a caller of this column is known, or takes himself to be."""
        if column in BY_KEY:
            return self._owned().by_key[column]
        cookie = self.people["ada"].cookie
        by_cookie = {"Cookie": f"{PAGE_COOKIE}={cookie}"}
        token = {"X-CSRF-Token": token_for(self.runtime.secret, cookie)}
        own = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        foreign = {"Origin": f"https://{EVIL}", "Sec-Fetch-Site": "cross-site"}
        living: dict[str, Credential] = {
            "anonymous": {},
            "user": self.people["ada"].bearer,
            "other": self.people["bob"].bearer,
            "superuser": self.people["grace"].bearer,
            "browser": {**by_cookie, **own, **token},
            "tokenless": {**by_cookie, **own},
            "forged": {**by_cookie, **foreign, **token},  # the origin alone must be enough
            "lured": foreign,
            "impersonator": self.acting,
        }
        return {**living, **self.dead}[column]

    def spoilt_by(self, column: str) -> tuple[str, ...]:
        """Return whom a request of this column may have changed."""
        return {"other": ("ada", "bob"), "superuser": ("ada", "grace")}.get(column, ("ada",))

    def path(self, template: str) -> str:
        """Return a route's path with Ada's ids in it."""
        ada, owned = self.people["ada"], self.belongings
        ids = {
            "organization_id": owned.organization_id if owned else "",
            "team_id": owned.team_id if owned else "",
            "role_id": owned.role_id if owned else "",
            "service_account_id": owned.service_account_id if owned else "",
            "key_id": self._key_in(template),
            "invitation_id": self._invitation_in(template),
            "domain_id": owned.domain_id if owned else "",
            "alert_id": owned.alert_id if owned else "",
            "user_id": str(ada.id),
            "session_id": ada.session_id,
            "token_id": self.token_id,
            "endpoint_id": self.endpoint_id,
            "delivery_id": self.delivery_id,
            "client_id": self.client_id,
            **self._client_in(template),
            "resource_id": self.resource_id,
            "initial_token_id": self.initial_token_id,
            "job_id": str(uuid4()),
            "mail_id": str(uuid4()),
            "name": "nothing.css",
            "path": "tenant",
        }
        return template.replace(":path}", "}").format(**ids)

    async def request(self, row: Row, column: str) -> httpx2.Request:
        """Return the request of one cell; a dead or missing credential comes with the body that would have worked."""
        if column in BY_KEY or any(word in f"{row.path} {row.body} {row.form}" for word in OF_ORGANIZATIONS):
            self.belongings = self.belongings or await self._made_belongings()
        headers = {"Accept": "application/json", **self.credential(column)}
        url = f"{self.origin}{self.path(row.path)}"
        if row.form is not None:
            return httpx2.Request(
                row.method, url, headers=headers, data=await self.body(dict(row.form), column)
            )
        body = None if row.body is None else await self.body(dict(row.body), column)
        return httpx2.Request(row.method, url, headers=headers, json=body)

    async def body(self, given: Any, caller: str) -> Any:
        """Return a body of the table with its `$words` filled in."""
        if isinstance(given, dict):
            return {name: await self.body(value, caller) for name, value in given.items()}
        if isinstance(given, list):
            return [await self.body(value, caller) for value in given]
        return await self._word(given, caller) if isinstance(given, str) and given.startswith("$") else given

    async def _word(self, word: str, caller: str) -> str:
        if word in OF_ORGANIZATIONS:
            self.belongings = self.belongings or await self._made_belongings()
        whose = self.people[{"other": "bob", "superuser": "grace"}.get(caller, "ada")]
        ada = self.people["ada"]
        words: dict[str, Callable[[], Awaitable[str]]] = {
            "$password": lambda: _just(PASSWORD),
            "$new_password": lambda: _just(NEW_PASSWORD),
            "$new_address": lambda: _just(f"person{next(NAMES)}@example.net"),
            "$address": lambda: _just(ada.account.email),
            "$own_address": lambda: _just(whose.account.email),
            "$session": lambda: _just(ada.session_id),
            "$ada": lambda: _just(str(ada.id)),
            "$bob": lambda: _just(str(self.people["bob"].id)),
            "$organization": lambda: _just(self._owned().organization_id),
            "$slug": lambda: _just(self._owned().slug),
            "$member": lambda: _just(self._owned().member_id),
            "$invitation": lambda: _just(self._owned().invitation_id),
            "$offer": lambda: _just(self._owned().offer),
            "$domain": lambda: _just(self._owned().domain_id),
            "$alert": lambda: _just(self._owned().alert_id),
            "$key": lambda: _just(self._owned().own_key_id),
            "$organization_key": lambda: _just(self._owned().organization_key_id),
            "$service_account": lambda: _just(self._owned().service_account_id),
            "$client": lambda: _just(self.client_id),
            "$connected": lambda: _just(self._owned().client_key),
            "$ticket": self._ticket,
            "$user_code": self._user_code,
            "$seal": lambda: _just(self._seal_for(whose)),
            "$url": lambda: _just(f"https://files{next(NAMES)}.example.com/"),
            "$refresh": lambda: _just(ada.refresh_token),
            "$verify": lambda: self._one_time(TokenPurpose.VERIFY_EMAIL, ada),
            "$reset": lambda: self._one_time(TokenPurpose.RESET_PASSWORD, ada),
            "$setup": self._setup,
        }
        return await words[word]()

    def _owned(self) -> Belongings:
        assert self.belongings is not None
        return self.belongings

    def _key_in(self, template: str) -> str:
        if self.belongings is None:
            return ""
        of_organization = "/organizations/" in template
        return self.belongings.organization_key_id if of_organization else self.belongings.own_key_id

    def _client_in(self, template: str) -> dict[str, str]:
        is_theirs = "/organizations/" in template or "/connections/" in template
        if self.belongings is not None and is_theirs:
            return {"client_key": self.belongings.client_key, "secret_id": self.belongings.secret_id}
        return {"client_key": self.client_key, "secret_id": self.secret_id}

    def _invitation_in(self, template: str) -> str:
        if self.belongings is None:
            return ""
        sent = "/organizations/" in template
        return self.belongings.invitation_id if sent else self.belongings.offer_id

    async def _offer(self, ada: Account) -> tuple[str, str]:
        """Have an organization of somebody else's invite Ada; return the invitation's id and secret."""
        runtime, host = self.runtime, await self._account()
        theirs = await Organizations(runtime, runtime.unit()).create_organization(
            NewOrganization(name="Difference Engines"), owner_id=host.id, actor=None
        )
        return await self._invitation(theirs.id, host.id, ada.email)

    async def _invitation(self, where: OrganizationId, host: UUID, email: str) -> tuple[str, str]:
        """Write an invitation without a mail, for there only would its secret stand."""
        secret, now = SECRETS.make(self.runtime.entropy), self.runtime.clock.now()
        row = Invitation(
            id=new_id(),
            organization_id=where,
            email=email,
            address=email,
            roles=["member"],
            secret_hash=SECRETS.hash_of(secret),
            invited_by=host,
            created_at=now,
            sent_at=now,
            sends=1,
            expires_at=now + timedelta(days=7),
        )
        async with self.runtime.unit() as unit:
            unit.session.add(row)
        return str(row.id), secret

    async def _domain(self, where: OrganizationId, actor: Principal) -> str:
        """Add a domain, and put its record into DNS."""
        runtime = self.runtime
        domain = await Domains(runtime, runtime.unit()).add_domain(
            where, f"engines{next(NAMES)}.example.com", actor=actor
        )
        runtime.provide(Resolver, Zone(record_value(domain.challenge)))
        return str(domain.id)

    async def _alert(self, where: OrganizationId, user_id: UserId) -> str:
        """Raise an alert; what it is about is nobody's affair but Ada's, her organization's and the platform's."""
        now, entry = self.runtime.clock.now(), new_id()
        row = {
            "id": new_id(),
            "rule": FAILED_SIGN_INS.name,
            "severity": FAILED_SIGN_INS.severity,
            "organization_id": where,
            "subject_type": "user",
            "subject_id": user_id,
            "group_key": "0" * 64,
            "first_entry_id": entry,
            "last_entry_id": entry,
            "count": 10,
            "details": {},
            "first_at": now,
            "last_at": now,
            "raised_at": now,
            "status": AlertStatus.OPEN,
        }
        async with self.runtime.unit() as unit:
            unit.session.add(Alert(**row))
        return str(row["id"])

    async def _made_belongings(self) -> Belongings:
        """Make Ada's organization and keys, also those by which she asks: one with every scope, and a narrow one."""
        runtime, ada = self.runtime, self.people["ada"]
        session = await live_session(runtime, ada.opened.session.id)
        actor = principal_of(session, CredentialKind.BEARER)
        made = await Organizations(runtime, runtime.unit()).create_own(
            NewOrganization(name="Analytical Engines"), actor=actor
        )
        where = made.id
        member = await self._account()
        add = Members(runtime, runtime.unit()).add_member
        await add(where, member.id, ["member"], how=Joined.ADDED, actor=None)
        team = await Teams(runtime, runtime.unit()).create_team(where, name="Mechanics", actor=actor)
        await Teams(runtime, runtime.unit()).add_member(where, team.id, ada.id, actor=actor)
        wish = {"name": "clerk", "title": "Clerk", "permissions": ["organization:member:read"]}
        role = await Roles(runtime, runtime.unit()).create_role(where, wish, actor=actor)
        robot = NewServiceAccount(name="robot", roles=["viewer"])
        account = await ServiceAccounts(runtime, runtime.unit()).create_account(where, robot, actor=None)
        in_organization = NewKey(name="theirs", scopes=["organization:member:read"], organization_id=where)
        every = [each.value for each in delegable(runtime, in_organization=True, beyond=True)]
        wide = NewKey(name="wide", scopes=every, organization_id=where)
        narrow = NewKey(name="narrow", scopes=["api_key:self:list"])
        own = await self._key(narrow)
        theirs = await ApiKeys(runtime, runtime.unit()).create_for_organization(in_organization, actor=None)
        invitation_id, _ = await self._invitation(where, ada.id, f"person{next(NAMES)}@example.net")
        offer_id, offer = await self._offer(ada.account)
        client_key, secret_id = await self._client(where)
        await self._connect(client_key, where)
        by_key = {
            "key": _bearer(str((await self._key(wide)).text)),
            "narrow": _bearer(str((await self._key(narrow)).text)),
        }
        return Belongings(
            organization_id=str(where),
            slug=made.slug,
            member_id=str(member.id),
            team_id=str(team.id),
            role_id=str(role.id),
            service_account_id=str(account.id),
            own_key_id=str(own.id),
            organization_key_id=str(theirs.id),
            invitation_id=invitation_id,
            offer_id=offer_id,
            offer=offer,
            domain_id=await self._domain(where, actor),
            client_key=client_key,
            secret_id=secret_id,
            alert_id=await self._alert(where, ada.id),
            by_key=by_key,
        )

    async def _key(self, new: NewKey) -> IssuedKey:
        keys = ApiKeys(self.runtime, self.runtime.unit())
        return await keys.create_for_person(self.people["ada"].id, new, actor=None)

    async def _connect(self, client_key: str, where: OrganizationId) -> None:
        """Let a client act in Ada's name in an organization."""
        client = await self.runtime.get(ClientBook).find_by_key(UUID(client_key))
        assert client is not None
        new = NewGrant(
            client=client,
            kind=GrantType.AUTHORIZATION_CODE,
            scope="openid",
            user_id=self.people["ada"].id,
            organization_id=where,
            is_offline=True,
        )
        await ClientGrants(self.runtime, self.runtime.unit()).give(new)

    async def _ticket(self) -> str:
        """Return what an authorization request waits under until somebody has signed in."""
        given = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": "https://app.example/cb",
            "code_challenge": "A" * 43,
            "code_challenge_method": "S256",
        }
        arrived = Transport(method="GET", url=f"{self.origin}/oauth/authorize")
        outcome = await Authorizing(self.runtime).begin(Parameters(given.items()), None, arrived)
        assert isinstance(outcome, SignInNeeded)
        return outcome.ticket

    async def _user_code(self) -> str:
        """Let a device wait, and return the code that it shows."""
        user_code, now = new_user_code(self.runtime.entropy), self.runtime.clock.now()
        row = {
            "id": new_id(),
            "client_key": UUID(self.client_key),
            "device_hash": bytes(24) + next(NAMES).to_bytes(8),
            "user_code_hash": self.runtime.lasting.mac(USER_CODE_KEY, user_code.encode()),
            "state": DeviceState.PENDING,
            "scope": "",
            "resources": [],
            "details": [],
            "interval_seconds": 5,
            "created_at": now,
            "expires_at": now + timedelta(minutes=5),
        }
        async with self.runtime.unit() as unit:
            assert await DeviceRepository(unit.session).add_device(**row)
        self.user_code = user_code
        return user_code

    def _seal_for(self, person: Person) -> str:
        """Return what tells that this person was shown the device, so that his answer is no try."""
        return b64encode(self.runtime.lasting.mac(SEAL_KEY, self.user_code.encode() + person.id.bytes))

    async def _one_time(self, purpose: TokenPurpose, person: Person) -> str:
        unit = self.runtime.unit()
        issued = await OneTimeTokens(self.runtime, unit).issue(
            purpose, person.id, ttl=timedelta(minutes=5), address=person.account.email_normal_form
        )
        return str(issued.secret)

    async def _impersonation(self) -> Credential:
        grace, ada = self.people["grace"], self.people["ada"]
        own = await live_session(self.runtime, grace.opened.session.id)
        actor = principal_of(own, CredentialKind.BEARER)
        impersonations = Impersonations(self.runtime, self.runtime.unit())
        started = await impersonations.start(ada.id, actor=actor, reason="The matrix")
        assert started.access_token is not None
        return _bearer(started.access_token.value)

    async def _setup(self) -> str:
        link = await issue_setup_link(self.runtime)
        return link.partition("token=")[2] if link else "pot_" + "A" * 43

    async def _person(self, name: str = "somebody") -> Person:
        account = await self._account()
        if name == "grace":
            await make_superuser(self.runtime, account)
        return await enter(self.runtime, account, at_pages=name == "ada")

    async def _account(self) -> Account:
        unit = self.runtime.unit()
        async with unit:
            new = NewUser(email=parse_address(f"person{next(NAMES)}@example.org"), email_verified=True)
            account = await Users(self.runtime, unit).create_user(new)
            now = self.runtime.clock.now()
            unit.session.add(
                PasswordCredential(user_id=account.id, password_hash=self.password_hash, changed_at=now)
            )
        return account

    async def _expired(self) -> Credential:
        """Return a token that has expired, of a session that lives on."""
        person = await self._person()
        self.clock.advance(2 * TOKEN_LIFE)
        return person.bearer

    async def _ended(self) -> Credential:
        person = await self._person()
        sessions = Sessions(self.runtime, self.runtime.unit())
        await sessions.log_out(person.id, person.opened.session.id)
        return person.bearer

    async def _deactivated(self) -> Credential:
        person = await self._person()
        await Users(self.runtime, self.runtime.unit()).deactivate_user(person.id)
        return person.bearer


class Zone:
    """DNS in which one record stands under every name."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def list_texts(self, name: str) -> Sequence[str]:
        """Return the record."""
        assert name
        return (self._text,)


async def _just(text: str) -> str:
    return text


def _bearer(token: str) -> Credential:
    return {"Authorization": f"Bearer {token}"}
