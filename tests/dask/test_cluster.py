"""On a cluster of two processes: the same answers, also when one of them dies; and an error when none is left."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
import reference
from sklearn.base import clone

import fastclf

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
engine = pytest.importorskip("fastclf.dask._engine")

pytestmark = pytest.mark.filterwarnings("ignore")  # of workers that end, at any time: they are Dask's own


# By default a cluster gives up a worker that has not started again within 15 s: too short on a loaded machine.
PATIENT = {"distributed.deploy.lost-worker-timeout": "1 hour"}


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings(), dask.config.set(PATIENT):
        warnings.simplefilter("ignore")
        processes = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1"}
        with (
            distributed.LocalCluster(**processes, dashboard_address=None, silence_logs=50) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def data(n=900):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    X[n // 2 : n // 2 + 20] = X[:20]
    return X, (X[:, 0] > 0) * 2 + (X[:, 1] > 0), np.concatenate([X[:30], rng.normal(size=(40, 6)).astype(np.float32)])


def await_workers(client):
    """Wait until both workers are there, as the scheduler has it."""
    end = time.monotonic() + 240
    while len(client.nthreads()) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)


@contextlib.contextmanager
def a_worker_dying(client, delay):
    """Kill one of two workers after so many seconds; Dask starts another one."""
    await_workers(client)
    victim = next(iter(client.cluster.workers.values()))
    timer = threading.Timer(delay, os.kill, (victim.pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.join()


def in_chunks(X, size):
    return da.from_array(X, chunks=(size, *X.shape[1:]))


def fitted_linear(X, y):
    return fastclf.dask.DaskLinearClassifier(l2=1e-2, tol=1e-3, random_state=0).fit(
        in_chunks(X, 200), in_chunks(y, 200)
    )


def assert_exact(model, Q, expected):
    distances, indices = model.kneighbors(Q)
    assert indices.tolist() == expected[1].tolist()
    assert distances.tobytes() == expected[0].tobytes()


def test_workers_give_the_bytes_of_one_machine(client):
    X, y, Q = data()
    expected = reference.exact_knn("l2", Q, X, 7)
    votes = fastclf.KNN(7).fit(X, y).predict(Q)
    for size in (900, 250, 90):
        model = fastclf.dask.DaskKNN(7).fit(in_chunks(X, size), in_chunks(y, size))
        assert_exact(model, Q, expected)
        assert model.predict(in_chunks(Q, 33)).compute().tolist() == votes.tolist()
        assert model.score(in_chunks(Q, 33), votes) == 1.0


def test_cross_validation_on_workers_gives_the_bytes_of_one_machine(client):
    X, y, _ = data()
    one = fastclf.KNNCV((1, 5), metrics=("l2", "cosine"), weights="distance").fit(X, y)
    model = fastclf.dask.DaskKNNCV((1, 5), metrics=("l2", "cosine"), weights="distance")
    with a_worker_dying(client, 0.3):
        model.fit(in_chunks(X, 200), in_chunks(y, 200))
    assert model.cv_scores_.tobytes() == one.cv_scores_.tobytes()
    assert model.best_params_ == one.best_params_


def test_the_dashboard_shows_names(client):
    X, y, Q = data()
    fastclf.dask.DaskKNN(7, client=client).fit(in_chunks(X, 250), in_chunks(y, 250)).predict(Q)
    prefixes = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
    assert {"knn-index", "knn-nearest", "knn-limits", "knn-gather", "knn-settle", "knn-vote"} <= set(prefixes)


def test_a_task_has_its_share_of_its_workers_threads(client):
    assert client.submit(engine.own_threads, None, pure=False).result() == 1
    assert client.submit(engine.own_threads, 5, pure=False).result() == 5


def test_linear_sums_have_the_same_bytes_on_one_worker_and_on_two(client):
    X, y, _ = data()
    found = []
    both = list(client.nthreads())
    for workers in (both, both[:1], both[1:]):
        with dask.annotate(workers=workers):
            model = fitted_linear(X, y)
        found.append((model.coef_.tobytes(), model.objective_))
    assert found[0] == found[1] == found[2]


def test_a_worker_that_dies_is_made_up_for(client):
    X, y, Q = data()
    expected = reference.exact_knn("l2", Q, X, 7)
    model = fastclf.dask.DaskKNN(7).fit(in_chunks(X, 200), in_chunks(y, 200))
    for delay in (0.0, 0.02):
        with a_worker_dying(client, delay):
            for _ in range(2):
                assert_exact(model, Q, expected)


def test_a_fit_goes_on_when_a_worker_dies(client):
    X, y, _ = data()
    whole = fitted_linear(X, y)
    with a_worker_dying(client, 0.2):
        again = fitted_linear(X, y)
    assert again.coef_.tobytes() == whole.coef_.tobytes()


def test_the_error_says_when_workers_die_of_a_task(client):
    def allow(failures):
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", failures))

    allow(0)
    with pytest.raises(RuntimeError, match="workers died while they ran knn-index"):
        engine.Engine(client).compute(
            [engine.task("knn-index", lambda: os.kill(os.getpid(), signal.SIGKILL))], "indexing chunks"
        )
    allow(3)


def test_a_client_is_kept_by_clones(client):
    model = fastclf.dask.DaskKNN(3, client=client)
    assert clone(model).client is client


def test_the_error_says_when_no_worker_is_left(monkeypatch):
    X, y, Q = data()
    monkeypatch.setattr(engine, "NO_WORKER", 1.0)
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        model = fastclf.dask.DaskKNN(7, client=client).fit(in_chunks(X, 300), in_chunks(y, 300))
        assert model.predict(Q[:3]).shape == (3,)
        [worker] = cluster.workers.values()
        cluster.sync(worker.close)
        with pytest.raises(RuntimeError, match="no worker is left"):
            model.predict(Q)


def test_an_error_on_a_worker_comes_back_as_it_is(client):
    X, y, _ = data()
    X[500, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN.*chunk 2 of X"):
        fastclf.dask.DaskKNN(7).fit(in_chunks(X, 200), in_chunks(y, 200))


def test_near_ties_over_workers(client):
    """Rows that round to one distance, nearer ones in later chunks."""
    X = np.full((12, 2), 2.0**30)
    X[:, 0] = 1 + np.arange(12)[::-1] * 2.0**-52
    Q = np.array([[3.0, 1.0], [-5.0, 1.0]])
    for metric, size in itertools.product(("l1", "l2", "cosine", "inner_product"), (1, 5)):
        model = fastclf.dask.DaskKNN(12, metric=metric).fit(in_chunks(X, size), np.arange(12))
        assert_exact(model, Q, reference.exact_knn(metric, Q, X, 12))
