"""The errors a user can cause. Their text names the value, the limit and the remedy."""


class BadInput(ValueError):
    """A value outside its limits.

    The message reads "PROBLEM: got VALUE, allowed LIMIT. REMEDY"; the host adds the node.
    """

    def __init__(self, problem: str, *, value: object, limit: object, remedy: str) -> None:
        super().__init__(f"{problem}: got {value}, allowed {limit}. {remedy}")


class MissingPart(RuntimeError):
    """A package or a weights file that this request needs and that is not here."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what} is not installed here. {remedy}")


class EngineFailure(RuntimeError):
    """A third-party engine failed on valid input (a panic, a crash, an unreadable answer)."""
