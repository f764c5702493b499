"""Running tasks: on the cluster of a client, else by whatever scheduler Dask is set to."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask
import distributed
from dask.delayed import Delayed

from fastclf._shared.progress import amount

# Seconds that a cluster may have no worker: a nanny starts a new one within a few.
NO_WORKER = 60.0

_PATIENCE = 5.0  # seconds without a result after a worker has gone; then twice as many

_LOOK = 0.5  # seconds between two looks at the cluster
_LARGE = "10GiB"  # what is sent on purpose is no reason for a warning


def task(what: str, function: Callable[..., Any], *args: Any) -> Delayed:
    """Return a task that the dashboard shows under the name `what`."""
    return dask.delayed(function, pure=False, traverse=True)(*args, dask_key_name=f"{what}-{uuid.uuid4().hex}")


class Engine:
    """What runs tasks.

    Without a client, it is the default one where there is one, else the scheduler in this process.
    """

    def __init__(self, client: Any = None) -> None:
        if client is not None and not isinstance(client, distributed.Client):
            raise TypeError(f"client must be a distributed.Client or None, got {type(client).__name__}")
        self._client = _default_client() if client is None else client

    def workers(self) -> int:
        """Return how many workers there are, at least 1."""
        return max(1, len(self._client.nthreads())) if self._client else 1

    def persist(self, tasks: Sequence[Delayed]) -> list[Delayed]:
        """Have the tasks' results kept where they are made; a worker that dies is made up for by running them again."""
        with _sending():
            found = self._client.persist(list(tasks)) if self._client else dask.persist(*tasks)
        return list(found)

    def compute(self, tasks: Sequence[Delayed], name: str, verbose: int = 0) -> list[Any]:
        """Return the tasks' results.

        Raises
        ------
        RuntimeError
            If no worker is left, or each worker dies that runs one of the tasks.
        """
        with amount(name, verbose, len(tasks)) as tell:
            if self._client is None:
                results = list(dask.compute(*tasks))
                tell(len(tasks))
                return results
            patience = _PATIENCE
            while True:
                with _sending():
                    futures = self._client.compute(list(tasks))
                try:
                    if self._wait(futures, tell, patience):
                        return list(self._client.gather(futures))
                except distributed.KilledWorker as error:
                    raise RuntimeError(
                        f"workers died while they ran {error.task}: a chunk may be too large for their memory ({error})"
                    ) from error
                finally:
                    self._client.cancel([future for future in futures if not future.done()])
                patience *= 2

    def _wait(self, futures: list[Any], tell: Callable[[int], None], patience: float) -> bool:
        """Wait until all futures are done, or one has failed; false if they should be asked for anew.

        That is where a worker has gone meanwhile, and nothing was done for a while: tasks that were on their way to it,
        or that it was to send, may be lost for ever.
        """
        left, seen, begun = set(futures), time.monotonic(), time.monotonic()
        workers = set(self._client.nthreads())
        while left:
            try:
                with self._client.as_current():
                    done, left = distributed.wait(left, timeout=_LOOK, return_when="FIRST_COMPLETED")
            except TimeoutError:
                now = set(self._client.nthreads())
                if now and not workers <= now and time.monotonic() - begun > patience:
                    return False
                seen = time.monotonic() if now else seen
                if time.monotonic() - seen > NO_WORKER:
                    raise RuntimeError(
                        f"no worker is left: the cluster of {self._client.scheduler.address} has had none for "
                        f"{NO_WORKER:g} seconds"
                    ) from None
                continue
            tell(len(done))
            seen = begun = time.monotonic()
            if any(future.status in ("error", "cancelled") for future in done):
                break
        return True


def _default_client() -> Any:
    """Return the client that Dask would ask, if it would ask one."""
    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    return owner if isinstance(owner, distributed.Client) else None


@contextlib.contextmanager
def _sending() -> Iterator[None]:
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE}):
        yield


def own_threads(n_threads: int | None) -> int | None:
    """Return how many threads a task may use: as many as it is told, else its share of its worker's."""
    if n_threads is not None:
        return n_threads
    try:
        state = distributed.get_worker().state
    except ValueError:  # not on a worker
        return None
    return max(1, int(state.nthreads) // max(1, int(state.executing_count)))
