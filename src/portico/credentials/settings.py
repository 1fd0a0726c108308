"""Settings of credentials: hashing, password policy, guessing, recovery."""

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from portico.core.settings import FeatureSettings


class PasswordProfile(StrEnum):
    """How long a password must be at least (NIST SP 800-63B-4, section 3.1.1.2)."""

    STANDARD = "standard"
    STRICT = "strict"


class CredentialsSettings(FeatureSettings):
    """Passwords: how they are hashed, which are taken, how often they may be guessed."""

    argon2_memory_kib: int = Field(19_456, ge=8_192, le=1_048_576)
    """Argon2id: memory of one hash in KiB. The three defaults are OWASP's; weaker ones are refused in production."""
    argon2_passes: int = Field(2, ge=1, le=20)
    """Argon2id: passes over the memory."""
    argon2_lanes: int = Field(1, ge=1, le=16)
    """Argon2id: lanes."""
    hash_threads: int | None = Field(None, ge=1, le=64)
    """Threads that hash in each worker. Default: cores divided by workers, at least 1."""
    hash_queue: int = Field(64, ge=0, le=10_000)
    """Hashes that may wait for a thread; the next one is answered with 503 at once."""
    profile: PasswordProfile = PasswordProfile.STANDARD
    """`standard`: at least 8 characters; `strict`: at least 15, as NIST asks where the password is the only factor."""
    min_length: int | None = Field(None, ge=8, le=128)
    """Shortest password in characters, instead of the profile's."""
    min_strength: int = Field(2, ge=0, le=4)
    """Lowest estimate taken, 0 to 4 (zxcvbn): 2 is 10^6 guesses or more, 3 is 10^8 or more."""
    context_words: tuple[str, ...] = ()
    """Words that make a password guessable here, such as the company's name; the product's name always counts."""
    check_breached: bool = True
    """Refuse passwords of the list of breached ones that Portico brings along."""
    require_upper: bool = False
    """Ask for a capital letter. Composition rules make passwords worse (NIST); here for those who must."""
    require_lower: bool = False
    """Ask for a small letter."""
    require_digit: bool = False
    """Ask for a digit."""
    require_symbol: bool = False
    """Ask for a character that is neither letter nor digit."""
    free_guesses: int = Field(10, ge=3, le=50)
    """Wrong passwords in a row before guessing is slowed, for each known device and for all strangers together."""
    first_delay: timedelta = Field(timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(hours=1))
    """The pause after the free guesses; doubled by each further one."""
    longest_delay: timedelta = Field(timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(days=1))
    """The longest pause."""
    stranger_guesses: int = Field(75, ge=10, le=90)
    """Wrong passwords in a row from all strangers together; then only known devices and recovery by mail are let in."""
    device_guesses: int = Field(25, ge=10, le=90)
    """Wrong passwords in a row from one known device. Both together stay within NIST's 100."""
    remember_device: timedelta = Field(timedelta(days=365), ge=timedelta(days=1), le=timedelta(days=400))
    """How long a device that signed in keeps guesses of its own."""
    reset_ttl: timedelta = Field(timedelta(minutes=30), ge=timedelta(minutes=5), le=timedelta(hours=24))
    """How long a link that resets the password is good."""
    setup_ttl: timedelta = Field(timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=7))
    """How long the link is good that makes the first administrator."""
    invitation_ttl: timedelta = Field(timedelta(days=7), ge=timedelta(minutes=5), le=timedelta(days=365))
    """How long a registration token is good where its maker does not say."""

    @property
    def shortest_password(self) -> int:
        """Return the fewest characters of a password."""
        if self.min_length is not None:
            return self.min_length
        return 15 if self.profile is PasswordProfile.STRICT else 8
