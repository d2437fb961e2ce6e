"""Everything that this client raises on purpose, with the exit code that the command line gives it.

    ClientError
    |-- UsageError             2  the caller asked for something that cannot be done as asked
    |   |-- WorkflowError      2  not an API workflow; an unknown or ambiguous title, input or value
    |   `-- JobRejected        2  the server refused the /prompt body (wrong type, unknown node, no output)
    |-- JobError               1  the job was accepted and did not give its result
    |   |-- JobFailed          1  a node raised; it is named
    |   |-- JobCancelled       1  somebody else cancelled it
    |   |-- JobTimeout         1  longer than --timeout; it was cancelled on the server
    |   `-- OutputError        1  a result could not be fetched or written
    `-- ServerError            3  no server to talk to
        |-- NoServer           3  none at that address, or none found
        |-- HostNotPrepared    3  host.json is missing or wrong
        |-- HostFailed         3  the private host did not start; carries the end of its log
        |-- ServerLost         3  it stopped answering in the middle of a job
        |-- ServerBusy         3  the job API has no room (429) or is not ready (503), for longer than the patience
        |-- JobLost            3  it answers, but no longer knows the job (it was restarted)
        `-- BadAnswer          3  it answers, but not as ComfyUI does

Ctrl-C is not in the tree: it stays KeyboardInterrupt, after the job was cancelled, and gives exit code 130.
"""

from __future__ import annotations


class ClientError(Exception):
    """The base of the tree above."""

    exit_code = 1
    kind = "error"

    def as_dict(self) -> dict[str, object]:
        """What the JSON lines say of it: its kind and its message."""
        return {"error": self.kind, "message": str(self)}


class UsageError(ClientError):
    """The caller asked for something that cannot be done as asked."""

    exit_code = 2
    kind = "usage"


class WorkflowError(UsageError):
    """Not an API workflow, or an unknown or ambiguous title, input or value."""

    kind = "workflow"


class NodeTrouble(ClientError):
    """What JobRejected and JobFailed share: the node at fault.

    `node_id` is the id in the /prompt body, `node_type` the class, `title` the `_meta.title` (or None).
    """

    def __init__(
        self, message: str, node_id: str | None = None, node_type: str | None = None, title: str | None = None
    ) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.node_type = node_type
        self.title = title

    def as_dict(self) -> dict[str, object]:
        node = {"id": self.node_id, "type": self.node_type, "title": self.title}
        return {**super().as_dict(), "node": node if self.node_id is not None else None}


class JobRejected(NodeTrouble, UsageError):
    """The server refused the /prompt body; names the first node at fault."""

    kind = "rejected"


class JobError(ClientError):
    """The job was accepted and did not give its result."""

    exit_code = 1
    kind = "job"


class JobFailed(NodeTrouble, JobError):
    """A node raised an exception; it is named."""

    kind = "failed"


class JobCancelled(JobError):
    """Somebody else cancelled the job."""

    kind = "cancelled"


class JobTimeout(JobError):
    """The job took longer than allowed and was cancelled on the server."""

    kind = "timeout"


class OutputError(JobError):
    """A result could not be fetched or written."""

    kind = "output"


class ServerError(ClientError):
    """No server to talk to."""

    exit_code = 3
    kind = "server"


class NoServer(ServerError):
    """No ComfyUI answers at the address."""

    kind = "no_server"


class HostNotPrepared(ServerError):
    """host.json is missing or wrong; the message says what to run."""

    kind = "host_not_prepared"


class HostFailed(ServerError):
    """The private host did not start; the message ends with its log."""

    kind = "host_failed"


class ServerLost(ServerError):
    """The server stopped answering in the middle of a job."""

    kind = "server_lost"


class ServerBusy(ServerError):
    """The job API has no room, or is not ready. `retry_after`: seconds that the server asks for, None = not said."""

    kind = "busy"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class JobLost(ServerError):
    """The server answers but no longer knows the job."""

    kind = "job_lost"


class BadAnswer(ServerError):
    """The server answers, but not as ComfyUI does."""

    kind = "bad_answer"
